#include <algorithm>
#include <autodiff/ops/elementwise.hpp>
#include <autodiff/ops/linalg.hpp>
#include <autodiff/ops/products.hpp>
#include <autodiff/ops/rearrange.hpp>
#include <autodiff/ops/reduce.hpp>
#include <autodiff/ops/shape.hpp>
#include <autodiff/core/tape.hpp>
#include <numeric>
#include <stdexcept>

namespace xgrad {
namespace {

void check(std::string_view op, const Tensor& a, const Tensor& b) {
  detail::check_defined(op, a);
  detail::check_defined(op, b);
}

[[noreturn]] void refuse(std::string_view op, const std::string& why, const Tensor& a, const Tensor& b) {
  throw detail::located<std::invalid_argument>(std::string(op) + ": " + why + ": " + to_string(a.shape()) + " and " + to_string(b.shape()));
}

Tensor contract(std::string_view op, const Tensor& a, const Tensor& b, const std::vector<std::int64_t>& a_axes,
                const std::vector<std::int64_t>& b_axes) {
  if (a_axes.size() != b_axes.size()) refuse(op, "different numbers of axes to sum over", a, b);
  const auto parts = [&](const Tensor& x, const std::vector<std::int64_t>& axes) {
    std::vector<std::int64_t> summed, kept;
    for (const std::int64_t axis : axes) {
      summed.push_back(normalize_axis(op, axis, x.shape()));
      if (std::count(summed.begin(), summed.end(), summed.back()) > 1) refuse(op, "axis " + std::to_string(axis) + " is given twice", a, b);
    }
    for (std::int64_t i = 0; i < static_cast<std::int64_t>(x.dim()); ++i)
      if (std::find(summed.begin(), summed.end(), i) == summed.end()) kept.push_back(i);
    return std::pair(kept, summed);
  };
  const auto [a_kept, a_summed] = parts(a, a_axes);
  const auto [b_kept, b_summed] = parts(b, b_axes);
  std::int64_t inner = 1, rows = 1, columns = 1;
  Shape shape;
  for (std::size_t i = 0; i < a_summed.size(); ++i) {
    if (a.shape(a_summed[i]) != b.shape(b_summed[i])) refuse(op, "axes to sum over differ", a, b);
    inner *= a.shape(a_summed[i]);
  }
  for (const std::int64_t axis : a_kept) shape.push_back(a.shape(axis)), rows *= a.shape(axis);
  for (const std::int64_t axis : b_kept) shape.push_back(b.shape(axis)), columns *= b.shape(axis);
  check_shape(op, shape);
  std::vector<std::int64_t> a_order = a_kept, b_order = b_summed;
  a_order.insert(a_order.end(), a_summed.begin(), a_summed.end());
  b_order.insert(b_order.end(), b_kept.begin(), b_kept.end());
  return reshape(matmul(reshape(transpose(a, a_order), {rows, inner}), reshape(transpose(b, b_order), {inner, columns})), shape);
}

/// An operand of einsum: its axes by their labels. Axes that "..." stands for have labels of their own, beyond all letters.
struct Labelled {
  Tensor x;
  std::vector<int> labels;

  bool has(int label) const { return std::find(labels.begin(), labels.end(), label) != labels.end(); }
  std::int64_t extent(int label) const { return x.shape(std::find(labels.begin(), labels.end(), label) - labels.begin()); }
};

constexpr int ellipsis_label = 256;

/// With its axes in the order of `labels`, and 1 for those it has not.
Tensor aligned(const Labelled& operand, const std::vector<int>& labels) {
  std::vector<std::int64_t> order;
  Shape shape;
  for (const int label : labels) {
    const auto at = std::find(operand.labels.begin(), operand.labels.end(), label);
    if (at != operand.labels.end()) order.push_back(at - operand.labels.begin());
    shape.push_back(at != operand.labels.end() ? operand.extent(label) : 1);
  }
  return reshape(transpose(operand.x, order), shape);
}

/// The sum over axes whose label is not in `wanted`.
Labelled summed(const Labelled& operand, const std::vector<int>& wanted) {
  std::vector<std::int64_t> axes;
  Labelled result;
  for (std::size_t i = 0; i < operand.labels.size(); ++i)
    if (std::find(wanted.begin(), wanted.end(), operand.labels[i]) == wanted.end()) axes.push_back(static_cast<std::int64_t>(i));
    else result.labels.push_back(operand.labels[i]);
  result.x = axes.empty() ? operand.x : sum(operand.x, Axes(axes));
  return result;
}

/// The product of two, summed over labels that are not wanted. Those that both have and are wanted are a batch.
Labelled product(const Labelled& first, const Labelled& second, const std::vector<int>& wanted) {
  const auto is_wanted = [&](int label) { return std::find(wanted.begin(), wanted.end(), label) != wanted.end(); };
  std::vector<int> left = wanted, right = wanted;
  left.insert(left.end(), second.labels.begin(), second.labels.end());
  right.insert(right.end(), first.labels.begin(), first.labels.end());
  const Labelled a = summed(first, left), b = summed(second, right);
  std::vector<int> batch, rows, columns, inner;
  bool broadcasts = false;  // extents of 1 against others, which matmul cannot sum over
  for (const int label : a.labels) {
    if (!b.has(label)) rows.push_back(label);
    else (is_wanted(label) ? batch : inner).push_back(label);
    broadcasts = broadcasts || (b.has(label) && !is_wanted(label) && a.extent(label) != b.extent(label));
  }
  for (const int label : b.labels)
    if (!a.has(label)) columns.push_back(label);

  Labelled result;
  result.labels = batch;
  result.labels.insert(result.labels.end(), rows.begin(), rows.end());
  result.labels.insert(result.labels.end(), columns.begin(), columns.end());
  if (inner.empty() || broadcasts) {
    std::vector<int> all = result.labels;
    all.insert(all.end(), inner.begin(), inner.end());
    const Tensor x = aligned(a, all), y = aligned(b, all);
    broadcast_shapes("einsum", x.shape(), y.shape());
    return summed({x * y, all}, result.labels);
  }
  const auto operand = [&](const Labelled& x, const std::vector<int>& front, const std::vector<int>& back) {
    std::vector<int> labels = batch;
    labels.insert(labels.end(), front.begin(), front.end());
    labels.insert(labels.end(), back.begin(), back.end());
    const Tensor all = aligned(x, labels);
    Shape shape(all.shape().begin(), all.shape().begin() + static_cast<std::ptrdiff_t>(batch.size()));
    const auto size_over = [&](const std::vector<int>& part) {
      return std::accumulate(part.begin(), part.end(), std::int64_t{1}, [&](std::int64_t n, int label) { return n * x.extent(label); });
    };
    shape.push_back(size_over(front));
    shape.push_back(size_over(back));
    return reshape(all, shape);
  };
  const auto extents_of = [&](const std::vector<int>& labels) {
    Shape extents;
    for (const int label : labels) extents.push_back(a.has(label) ? std::max(a.extent(label), b.has(label) ? b.extent(label) : 0) : b.extent(label));
    return extents;
  };
  check_shape("einsum", extents_of(result.labels));
  const Tensor matrices = matmul(operand(a, rows, inner), operand(b, inner, columns));
  Shape shape(matrices.shape().begin(), matrices.shape().end() - 2);
  for (const int label : rows) shape.push_back(a.extent(label));
  for (const int label : columns) shape.push_back(b.extent(label));
  result.x = reshape(matrices, shape);
  return result;
}

/// Subscripts taken apart.
class Subscripts {
 public:
  Subscripts(const std::string& text, const std::vector<Tensor>& operands) : text_(text), shapes_(operands) {
    std::string compact;
    for (const char c : text)
      if (c != ' ') compact += c;
    const std::size_t arrow = compact.find("->");
    const std::string left = compact.substr(0, arrow);
    std::vector<std::string> parts(1);
    for (const char c : left) {
      if (c == ',') parts.emplace_back();
      else parts.back() += c;
    }
    if (parts.size() != operands.size())
      refuse(std::to_string(parts.size()) + " operands are named, " + std::to_string(operands.size()) + " given");
    for (std::size_t i = 0; i < parts.size(); ++i) inputs.push_back(labelled(parts[i], operands[i]));
    if (arrow != std::string::npos) {
      output = labels_of(compact.substr(arrow + 2), most_dots_, true);
      for (std::size_t i = 0; i < output.size(); ++i) {
        if (std::find(output.begin(), output.begin() + static_cast<std::ptrdiff_t>(i), output[i]) != output.begin() + static_cast<std::ptrdiff_t>(i))
          refuse("the output names an axis twice");
        if (std::none_of(inputs.begin(), inputs.end(), [&](const Labelled& input) { return input.has(output[i]); }))
          refuse("the output names an axis that no operand has");
      }
    } else {
      for (int dot = 0; dot < most_dots_; ++dot) output.push_back(ellipsis_label + most_dots_ - 1 - dot);
      for (int letter = 0; letter < ellipsis_label; ++letter)
        if (count_[letter] == 1) output.push_back(letter);
    }
    check_extents();
  }

  std::vector<Labelled> inputs;
  std::vector<int> output;

 private:
  [[noreturn]] void refuse(const std::string& why) const {
    std::string shapes;
    for (const Tensor& x : shapes_) shapes += (shapes.empty() ? "" : ", ") + to_string(x.shape());
    throw detail::located<std::invalid_argument>("einsum: \"" + text_ + "\": " + why + "; shapes " + shapes);
  }

  /// `dots` axes for "...".
  std::vector<int> labels_of(const std::string& part, int dots, bool is_output) {
    std::vector<int> labels;
    bool seen = false;
    for (std::size_t i = 0; i < part.size(); ++i) {
      const auto c = static_cast<unsigned char>(part[i]);
      if (part.compare(i, 3, "...") == 0) {
        if (std::exchange(seen, true)) refuse("\"...\" comes twice in one operand");
        for (int dot = 0; dot < dots; ++dot) labels.push_back(ellipsis_label + dots - 1 - dot);
        i += 2;
      } else if ((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z')) {
        labels.push_back(c);
        if (!is_output) ++count_[c];
      } else {
        refuse(std::string("'") + part[i] + "' is no letter");
      }
    }
    return labels;
  }

  Labelled labelled(const std::string& part, const Tensor& x) {
    const bool dotted = part.find("...") != std::string::npos;
    const auto letters = static_cast<int>(part.size()) - (dotted ? 3 : 0), rank = static_cast<int>(x.dim());
    if (letters > rank || (!dotted && letters != rank)) refuse("\"" + part + "\" does not fit shape " + to_string(x.shape()));
    most_dots_ = std::max(most_dots_, dotted ? rank - letters : 0);
    Labelled result{x, labels_of(part, dotted ? rank - letters : 0, false)};
    // A label given twice takes the diagonal.
    for (std::size_t i = 0; i < result.labels.size(); ++i)
      for (std::size_t j = result.labels.size(); --j > i;) {
        if (result.labels[i] != result.labels[j]) continue;
        const int label = result.labels[i];
        if (result.x.shape()[i] != result.x.shape()[j]) refuse(std::string("axes '") + static_cast<char>(label) + "' of one operand differ");
        result.x = diagonal(result.x, 0, static_cast<std::int64_t>(i), static_cast<std::int64_t>(j));
        result.labels.erase(result.labels.begin() + static_cast<std::ptrdiff_t>(j));
        result.labels.erase(result.labels.begin() + static_cast<std::ptrdiff_t>(i));
        result.labels.push_back(label);
        i = 0;
        j = result.labels.size();
      }
    return result;
  }

  void check_extents() const {
    for (const Labelled& a : inputs)
      for (const int label : a.labels)
        for (const Labelled& b : inputs)
          if (b.has(label) && a.extent(label) != b.extent(label) && a.extent(label) != 1 && b.extent(label) != 1)
            refuse(label < ellipsis_label ? std::string("axes '") + static_cast<char>(label) + "' differ" : "axes of \"...\" do not broadcast");
  }

  const std::string& text_;
  const std::vector<Tensor>& shapes_;
  int most_dots_ = 0;
  int count_[ellipsis_label] = {};
};

}  // namespace

Tensor dot(const Located& a, const Located& b) {
  check("dot", a, b);
  if (a.dim() == 0 || b.dim() == 0) return a * b;
  return contract("dot", a, b, {-1}, {b.dim() == 1 ? -1 : -2});
}

Tensor inner(const Located& a, const Located& b) {
  check("inner", a, b);
  if (a.dim() == 0 || b.dim() == 0) return a * b;
  return contract("inner", a, b, {-1}, {-1});
}

Tensor outer(const Located& a, const Located& b) {
  check("outer", a, b);
  check_shape("outer", {a.size(), b.size()});
  return reshape(a, {a.size(), 1}) * reshape(b, {1, b.size()});
}

Tensor tensordot(const Located& a, const Located& b, std::int64_t axes) {
  check("tensordot", a, b);
  if (axes < 0 || axes > static_cast<std::int64_t>(std::min(a.dim(), b.dim()))) refuse("tensordot", std::to_string(axes) + " axes to sum over", a, b);
  std::vector<std::int64_t> last(static_cast<std::size_t>(axes)), first(last.size());
  std::iota(last.begin(), last.end(), static_cast<std::int64_t>(a.dim()) - axes);
  std::iota(first.begin(), first.end(), 0);
  return contract("tensordot", a, b, last, first);
}

Tensor tensordot(const Located& a, const Located& b, const std::vector<std::int64_t>& a_axes, const std::vector<std::int64_t>& b_axes) {
  check("tensordot", a, b);
  return contract("tensordot", a, b, a_axes, b_axes);
}

Tensor kron(const Located& a, const Located& b) {
  check("kron", a, b);
  const std::size_t rank = std::max(a.dim(), b.dim());
  Shape left, right, result;
  for (std::size_t i = 0; i < rank; ++i) {
    const std::int64_t n = i + a.dim() < rank ? 1 : a.shape()[i + a.dim() - rank], m = i + b.dim() < rank ? 1 : b.shape()[i + b.dim() - rank];
    left.push_back(n);
    left.push_back(1);
    right.push_back(1);
    right.push_back(m);
    result.push_back(multiply_sizes("kron", n, m));
  }
  check_shape("kron", result);
  return reshape(reshape(a, left) * reshape(b, right), result);
}

Tensor cross(const Located& a, const Located& b) {
  check("cross", a, b);
  if (a.dim() == 0 || b.dim() == 0 || a.shape(-1) != 3 || b.shape(-1) != 3) refuse("cross", "the last axes must have 3 elements", a, b);
  broadcast_shapes("cross", a.shape(), b.shape());
  return roll(a, -1, -1) * roll(b, 1, -1) - roll(a, 1, -1) * roll(b, -1, -1);
}

Tensor einsum(const std::string& subscripts, const std::vector<Tensor>& operands, std::source_location where) {
  const detail::CallSite site(where);
  for (const Tensor& operand : operands) detail::check_defined("einsum", operand);
  Subscripts parsed(subscripts, operands);
  std::vector<Labelled>& left = parsed.inputs;
  const auto wanted_beside = [&](std::size_t i, std::size_t j) {
    std::vector<int> wanted = parsed.output;
    for (std::size_t k = 0; k < left.size(); ++k)
      if (k != i && k != j) wanted.insert(wanted.end(), left[k].labels.begin(), left[k].labels.end());
    return wanted;
  };
  while (left.size() > 1) {
    std::size_t best_i = 0, best_j = 1;
    double fewest = 0;
    for (std::size_t i = 0; i < left.size() && left.size() > 2; ++i)
      for (std::size_t j = i + 1; j < left.size(); ++j) {
        const std::vector<int> wanted = wanted_beside(i, j);
        double elements = 1;
        const auto count = [&](int label, std::int64_t extent) {
          if (std::find(wanted.begin(), wanted.end(), label) != wanted.end()) elements *= static_cast<double>(extent);
        };
        for (const int label : left[i].labels) count(label, left[i].extent(label));
        for (const int label : left[j].labels)
          if (!left[i].has(label)) count(label, left[j].extent(label));
        if ((i == 0 && j == 1) || elements < fewest) fewest = elements, best_i = i, best_j = j;
      }
    Labelled made = product(left[best_i], left[best_j], wanted_beside(best_i, best_j));
    left.erase(left.begin() + static_cast<std::ptrdiff_t>(best_j));
    left[best_i] = std::move(made);
  }
  return aligned(summed(left[0], parsed.output), parsed.output);
}

}  // namespace xgrad
