#include <algorithm>
#include <autodiff/core/trace_state.hpp>
#include <stdexcept>
#include <string>

namespace xgrad::detail {
namespace {

thread_local Tracing* tracing = nullptr;
thread_local Capturing* capturing = nullptr;

constexpr std::uint64_t unlimited = ~std::uint64_t{0}, part_of_long = 1 << 12;

}  // namespace

std::uint64_t Tracing::current() noexcept { return tracing ? tracing->number_ : 0; }
void Tracing::note_read() {
  if (capturing && capturing->strict_)
    throw std::logic_error(std::string(capturing->name_) +
                           ": the function reads a value or draws random numbers while it is captured, which would stay as they are; pass "
                           "them as arguments, and choose by value with where()");
  for (Tracing* at = tracing; at; at = at->before_) at->read = true;
}
std::uint64_t Tracing::limit() noexcept { return tracing ? tracing->limit_ : 0; }
Tracing::Tracing(std::size_t nodes) noexcept
    : before_(std::exchange(tracing, this)), limit_(nodes > longest_planned ? part_of_long : unlimited) {
  thread_local std::uint64_t count = 0;
  number_ = ++count;
}
Tracing::~Tracing() { tracing = before_; }

Capturing::Capturing(std::string_view name, bool strict) noexcept : name_(name), strict_(strict), before_(std::exchange(capturing, this)) {}
Capturing::~Capturing() { capturing = before_; }
bool Capturing::active() noexcept { return capturing != nullptr; }
void Capturing::refuse(std::string_view op) {
  if (capturing && capturing->strict_)
    throw std::logic_error(std::string(op) + ": not within a function that " + std::string(capturing->name_) +
                           " captures; it would be done once, rather than each time it runs");
}
void Capturing::refuse_shape(std::string_view op) {
  if (capturing && capturing->strict_)
    throw located<std::logic_error>(std::string(op) + ": the shape of the result depends on values, so not within a function that " + std::string(capturing->name_) +
                                    " captures; use where() or masked_fill(), or call it before and pass the result as an argument");
}
void Capturing::note_leaf(Node* leaf) {
  if (!capturing) return;
  const auto is_it = [leaf](const LeafUse& use) { return use.value == leaf->current.get(); };
  if (std::none_of(capturing->leaves.begin(), capturing->leaves.end(), is_it))
    capturing->leaves.push_back({Tensor(Ref<Node>(leaf)), leaf->current.get()});
}
Tensor Capturing::leaf_of_value(const Node* value) {
  if (capturing)
    for (const LeafUse& use : capturing->leaves)
      if (use.value == value) return use.leaf;
  return {};
}
void Capturing::note_number(const Node* number) {
  if (capturing) capturing->numbers.emplace_back(Ref<Node>(const_cast<Node*>(number)));
}
void Capturing::note_constant(Node* leaf) {
  if (capturing) capturing->constants.emplace_back(Ref<Node>(leaf));
}
bool Capturing::strict() noexcept { return capturing != nullptr && capturing->strict_; }
void Capturing::note_checking(const Tensor& x) {
  if (capturing) capturing->checking.push_back(x);
}
bool Capturing::note_check(const Tensor& x, ValuesCheck check) {
  for (Tracing* at = tracing; at; at = at->before_) at->read = true;  // on purpose, so this is no error
  const bool result = check(resolve(x.node())->array());
  capturing->checks.push_back({x, std::move(check), result});
  return result;
}

}  // namespace xgrad::detail
