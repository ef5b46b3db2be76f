#include <algorithm>
#include <autodiff/evaluate/fusion.hpp>
#include <deque>
#include <limits>
#include <queue>
#include <unordered_map>

namespace xgrad::detail {
namespace {

// Bounds the tiles of a pass, and with them its share of the cache.
constexpr std::uint32_t longest_pass = 256;

// Shorter rows are not worth the trouble; more columns than these would not stay in the cache.
constexpr std::size_t shortest_row = 128, most_columns = 1 << 14;

// Of the sets that read an array, so many are considered as company for a sum.
constexpr std::size_t most_readers = 16;

/// What elementwise nodes must have in common to share a pass, beside the shape.
enum class Class : std::uint8_t { other, any, float32, float64 };

Class class_of(const Node& node) {
  if (node.op->kind() != Op::Kind::elementwise) return Class::other;
  xt::svector<DType, 4> operands;
  for (const Tensor& input : node.inputs.span()) operands.push_back(input.node()->dtype);
  const VectorType type = vector_type(static_cast<const ElementwiseOp&>(*node.op), node.dtype, {operands.data(), operands.size()});
  return type == VectorType::none ? Class::any : type == VectorType::float32 ? Class::float32 : Class::float64;
}

}  // namespace

FusedSum fused_sum(const Node& node) {
  FusedSum sum;
  if (node.op->kind() != Op::Kind::sum) return sum;
  const Shape& shape = node.inputs.span()[0].shape();
  if (!is_floating(node.dtype)) return sum;
  const auto& axes = static_cast<const ReductionOp&>(*node.op).axes;
  std::size_t reduced = 1, kept = 1, last = 1;
  bool reduced_last = false, reduced_before_kept = false, kept_before_reduced = false;
  for (std::size_t i = 0, next = 0; i < shape.size(); ++i) {
    const bool is_reduced = next < axes.size() && axes[next] == static_cast<std::int64_t>(i);
    if (is_reduced) ++next;
    const auto extent = static_cast<std::size_t>(shape[i]);
    if (extent == 1) continue;
    if (extent == 0) return sum;
    (is_reduced ? reduced : kept) *= extent;
    reduced_last = is_reduced;
    last = extent;
    reduced_before_kept = reduced_before_kept || (!is_reduced && reduced > 1);
    kept_before_reduced = kept_before_reduced || (is_reduced && kept > 1);
  }
  if (reduced == 1 || (reduced_before_kept && kept_before_reduced)) return sum;
  if (last < shortest_row || last == reduced * kept) last = 0;  // one row alone may be added in parts
  if (kept == 1) return {FusedSum::Kind::all, reduced, last};
  if (reduced_last && reduced >= shortest_row) return {FusedSum::Kind::rows, reduced, last};
  if (!reduced_last && kept >= shortest_row && kept <= most_columns) return {FusedSum::Kind::columns, kept, last};
  return sum;
}

namespace {

class Planner {
 public:
  Planner(std::span<Node* const> nodes, const std::vector<bool>& kept)
      : nodes_(nodes), kept_(kept), count_(static_cast<Index>(nodes.size())), classes_(count_), sums_(count_), level_(count_, 0) {
    for (Index i = 0; i < count_; ++i) nodes_[i]->place = i + 1;
    for (Index i = 0; i < count_; ++i) {
      classes_[i] = class_of(*nodes_[i]);
      if (classes_[i] == Class::other) sums_[i] = fused_sum(*nodes_[i]);
    }
  }
  Planner(const Planner&) = delete;
  Planner& operator=(const Planner&) = delete;
  ~Planner() {
    for (Node* node : nodes_) node->place = 0;
  }

  std::vector<Pass> plan() {
    make_sets();
    bring_sums_together();
    return ordered(passes());
  }

 private:
  using Index = std::uint32_t;

  /// Nodes that go to one pass, if it does not get too long.
  struct Set {
    std::vector<Index> nodes;
    const Shape* shape = nullptr;  ///< of what is computed, or summed
    Class type = Class::other;
    std::vector<std::size_t> rows;  ///< that its sums tell apart
    bool has_sums = false;
    bool leaves_sums_only = true;
  };

  /// Of an input that is computed here, one more than its index, else 0.
  static Index index_of(const Tensor& input) { return input.node()->evaluated ? 0 : input.node()->place; }
  bool is_sum(Index i) const { return sums_[i].kind != FusedSum::Kind::none; }
  const Shape& computed_shape(Index i) const { return is_sum(i) ? nodes_[i]->inputs.span()[0].shape() : nodes_[i]->shape; }
  bool joinable(Index from, Index to) const {
    if (is_sum(to)) return classes_[from] > Class::any && is_floating(nodes_[from]->dtype);
    return classes_[to] != Class::other && classes_[from] == classes_[to] && nodes_[from]->shape == nodes_[to]->shape;
  }

  // A node joins its elementwise inputs of the same shape and class. A level grows wherever a path leaves a pass; only
  // nodes of one level join, so that no path leaves a pass and comes back. Nodes are as late as those that use them allow,
  // for what is computed where it is needed need not be stored; those that gain nothing from it go to their inputs.
  void make_sets() {
    std::vector<bool> joined(count_, false);
    for (Index i = count_; i-- > 0;)
      for (const Tensor& input : nodes_[i]->inputs.span())
        if (const Index at = index_of(input)) level_[at - 1] = std::min(level_[at - 1], level_[i] - (joinable(at - 1, i) ? 0 : 1));
    for (Index i = 0; i < count_; ++i)
      for (const Tensor& input : nodes_[i]->inputs.span())
        if (const Index at = index_of(input); at && joinable(at - 1, i) && level_[at - 1] == level_[i]) joined[at - 1] = true;
    std::vector<Index> parent(count_);
    const auto find = [&](Index i) {
      while (parent[i] != i) i = parent[i] = parent[parent[i]];
      return i;
    };
    for (Index i = 0; i < count_; ++i) {
      parent[i] = i;
      if (!joined[i]) {
        std::int32_t earliest = lowest;
        for (const Tensor& input : nodes_[i]->inputs.span())
          if (const Index at = index_of(input)) earliest = std::max(earliest, level_[at - 1] + (joinable(at - 1, i) ? 0 : 1));
        if (earliest != lowest) level_[i] = earliest;
      }
      for (const Tensor& input : nodes_[i]->inputs.span())
        if (const Index at = index_of(input); at && joinable(at - 1, i) && level_[at - 1] == level_[i]) parent[find(at - 1)] = find(i);
    }
    sets_.resize(count_);
    set_of_.resize(count_);
    for (Index i = 0; i < count_; ++i) add(i, find(i));
  }
  void add(Index i, Index to) {
    Set& set = sets_[to];
    const bool sum = is_sum(i);
    const std::vector<std::size_t> rows = sum ? rows_of(sums_[i]) : std::vector<std::size_t>();
    if (sum && set.has_sums && set.rows != rows) {  // the order in which it adds would depend on the others: a set of its own
      sets_.emplace_back();
      add(i, static_cast<Index>(sets_.size() - 1));
      return;
    }
    if (set.nodes.empty()) {
      set.shape = &computed_shape(i);
      set.type = !sum ? classes_[i] : nodes_[i]->inputs.span()[0].dtype() == DType::float32 ? Class::float32 : Class::float64;
    }
    set.nodes.push_back(i);
    set_of_[i] = to;
    if (sum) set.rows = rows, set.has_sums = true;
    else if (kept_[i]) set.leaves_sums_only = false;
    for (const Tensor& input : nodes_[i]->inputs.span())
      if (const Index at = index_of(input); at && !is_sum(at - 1) && set_of_[at - 1] != to) sets_[set_of_[at - 1]].leaves_sums_only = false;
  }
  static std::vector<std::size_t> rows_of(const FusedSum& sum) {
    std::vector<std::size_t> rows;
    if (sum.last_axis != 0) rows.push_back(sum.last_axis);
    if (sum.kind != FusedSum::Kind::all && sum.length != sum.last_axis) rows.push_back(sum.length);
    return rows;
  }

  // A set that nothing but sums leaves takes no memory wherever it stands: it goes to the first set that makes or reads an array it
  // reads, if it may be computed there, so that the array is gone through once. Sets of one level, shape and class do not depend on each other.
  void bring_sums_together() {
    if (std::none_of(sets_.begin(), sets_.end(), [](const Set& set) { return set.has_sums; })) return;
    std::unordered_map<const Node*, std::vector<Index>> readers;  // nodes, one of a set
    for (Index i = 0; i < count_; ++i)
      for_each_array(i, [&](const Node* array) {
        std::vector<Index>& of = readers[array];
        if (of.size() < most_readers && (of.empty() || set_of_[of.back()] != set_of_[i])) of.push_back(i);
      });
    std::vector<std::vector<Index>> users(count_);  // of sums
    for (Index i = 0; i < count_; ++i)
      for (const Tensor& input : nodes_[i]->inputs.span())
        if (const Index at = index_of(input); at && is_sum(at - 1)) users[at - 1].push_back(i);
    for (Index s = 0; s < sets_.size(); ++s) {
      const Set& set = sets_[s];
      if (!set.has_sums || !set.leaves_sums_only || !may_share(set)) continue;
      std::int32_t earliest = lowest, latest = 0;
      for (const Index i : set.nodes)
        for (const Index user : users[i]) latest = std::min(latest, level_[user] - 1);
      for_each_input(set, [&](Index at, Index i) {
        earliest = std::max(earliest, level_[at] + (joinable(at, i) && fits(sets_[set_of_[at]], set) ? 0 : 1));
      });
      Index best = count_;  // a node of that set
      const auto consider = [&](Index node) {
        if (set_of_[node] == s || level_[node] < earliest || level_[node] > latest || !fits(sets_[set_of_[node]], set)) return;
        if (best == count_ || level_[node] < level_[best]) best = node;
      };
      for (const Index i : set.nodes)
        for_each_array(i, [&](const Node* array) {
          if (!array->evaluated && array->place != 0) consider(array->place - 1);
          for (const Index reader : readers[array]) consider(reader);
        });
      if (best == count_) continue;
      // What it reads of that level goes along.
      std::vector<Index> together{s};
      for_each_input(set, [&](Index at, Index) {
        if (level_[at] == level_[best]) together.push_back(set_of_[at]);
      });
      for (const Index i : set.nodes) level_[i] = level_[best];
      for (const Index other : together) join(other, set_of_[best]);
    }
  }
  /// Calls f(input, node) for inputs from other sets.
  template <class F>
  void for_each_input(const Set& set, const F& f) const {
    for (const Index i : set.nodes)
      for (const Tensor& input : nodes_[i]->inputs.span())
        if (const Index at = index_of(input); at && &sets_[set_of_[at - 1]] != &set) f(at - 1, i);
  }
  /// Calls f(node) for inputs of node `i` that are arrays as large as what its set computes.
  template <class F>
  void for_each_array(Index i, const F& f) const {
    if (classes_[i] <= Class::any && !is_sum(i)) return;
    for (const Tensor& input : nodes_[i]->inputs.span())
      if (input.shape() == computed_shape(i)) f(input.node());
  }
  /// Not a sum alone of terms that do not lie one after another, which is an op of its own.
  bool may_share(const Set& set) const {
    if (set.type <= Class::any) return false;
    if (set.nodes.size() > 1 || !set.has_sums) return true;
    const Node& terms = *nodes_[set.nodes[0]]->inputs.span()[0].node();
    return terms.evaluated ? terms.value.contiguous : terms.place != 0 && terms.op->kind() != Op::Kind::view;
  }
  bool fits(const Set& a, const Set& b) const {
    return a.type == b.type && *a.shape == *b.shape && may_share(a) && may_share(b) && a.nodes.size() + b.nodes.size() <= longest_pass &&
           (!a.has_sums || !b.has_sums || a.rows == b.rows);
  }
  void join(Index from, Index to) {
    if (from == to) return;
    Set &source = sets_[from], &target = sets_[to];
    for (const Index i : source.nodes) set_of_[i] = to;
    target.nodes.insert(target.nodes.end(), source.nodes.begin(), source.nodes.end());
    target.leaves_sums_only = target.leaves_sums_only && source.leaves_sums_only;
    if (source.has_sums) target.rows = source.rows, target.has_sums = true;
    source = {};
  }

  std::vector<Pass> passes() {
    std::vector<Pass> passes;
    pass_of_.resize(count_);
    std::vector<Index> open(sets_.size(), count_);  // the pass that the nodes of a set now go to
    for (Index i = 0; i < count_; ++i) {
      Index& pass = open[set_of_[i]];
      const Index terms = is_sum(i) ? index_of(nodes_[i]->inputs.span()[0]) : 0;
      if (terms && set_of_[terms - 1] == set_of_[i]) {  // a sum stays with its terms
        pass_of_[i] = pass_of_[terms - 1];
      } else {
        if (pass == count_ || passes[pass].nodes.size() >= longest_pass) {
          pass = static_cast<Index>(passes.size());
          passes.emplace_back();
        }
        pass_of_[i] = pass;
      }
      passes[pass_of_[i]].nodes.push_back(i);
    }
    return passes;
  }

  /// In topological order, the one whose last node was recorded first at the front.
  std::vector<Pass> ordered(std::vector<Pass> passes) const {
    const std::size_t total = passes.size();
    std::vector<std::vector<Index>> after(total);
    std::vector<Index> waits(total, 0);
    for (Index i = 0; i < count_; ++i)
      for (const Tensor& input : nodes_[i]->inputs.span())
        if (const Index at = index_of(input); at && pass_of_[at - 1] != pass_of_[i]) {
          after[pass_of_[at - 1]].push_back(pass_of_[i]);
          ++waits[pass_of_[i]];
        }
    const auto later = [&](Index a, Index b) { return passes[a].nodes.back() > passes[b].nodes.back(); };
    std::priority_queue<Index, std::vector<Index>, decltype(later)> ready(later);
    for (Index p = 0; p < total; ++p)
      if (waits[p] == 0) ready.push(p);
    std::vector<Pass> ordered;
    ordered.reserve(total);
    while (!ready.empty()) {
      const Index p = ready.top();
      ready.pop();
      for (const Index next : after[p])
        if (--waits[next] == 0) ready.push(next);
      ordered.push_back(std::move(passes[p]));
    }
    return ordered;
  }

  static constexpr std::int32_t lowest = std::numeric_limits<std::int32_t>::min() / 2;
  std::span<Node* const> nodes_;
  const std::vector<bool>& kept_;
  const Index count_;
  std::vector<Class> classes_;
  std::vector<FusedSum> sums_;
  std::vector<std::int32_t> level_;
  std::deque<Set> sets_;
  std::vector<Index> set_of_, pass_of_;
};

}  // namespace

std::vector<Pass> plan(std::span<Node* const> nodes, const std::vector<bool>& kept) { return Planner(nodes, kept).plan(); }

}  // namespace xgrad::detail
