#include <algorithm>
#include <autodiff/core/per_thread.hpp>
#include <autodiff/core/anomaly_watch.hpp>
#include <autodiff/debug/anomaly.hpp>
#include <autodiff/core/evaluator.hpp>
#include <cmath>
#include <stdexcept>
#include <unordered_map>
#include <utility>

namespace xgrad {
namespace {

struct Place {
  std::string_view name;
  std::source_location where;
};

/// What a thread keeps for anomaly mode.
struct Watch {
  bool replaying = false;
  std::vector<Place> scopes;
  std::unordered_map<std::uint64_t, std::string> recorded_at;  ///< by sequence number, of ops recorded while enabled
};
Watch& watch() { return detail::per_thread<Watch>(); }

/// The place of the innermost call, and of those around it in other files; then the scopes.
std::string describe_place() {
  std::string text;
  std::vector<std::string_view> files;
  for (const detail::CallSite* call = detail::CallSite::innermost(); call; call = call->around()) {
    const std::string_view file = call->where().file_name();
    if (detail::is_source_of("autodiff/", file) || std::find(files.begin(), files.end(), file) != files.end()) continue;
    text += (files.empty() ? " at " : ", called at ") + detail::line_of(call->where());
    files.push_back(file);
  }
  for (const Place& place : watch().scopes) text += (text.empty() ? " in " : ", in ") + std::string(place.name) + " (" + detail::line_of(place.where) + ")";
  return text.empty() ? text : "; recorded" + text;
}

/// The first element that is not finite, or -1.
std::int64_t first_anomaly(const Tensor& x) {
  if (!is_floating(x.dtype())) return -1;
  return dispatch(x.dtype(), [&](auto type) -> std::int64_t {
    using T = decltype(type);
    if constexpr (std::is_floating_point_v<T>) {
      const T* values = x.data<T>();
      for (std::int64_t i = 0; i < x.size(); ++i)
        if (!std::isfinite(values[i])) return i;
    }
    return -1;
  });
}

std::string at_element(const Tensor& x, std::int64_t i) {
  const double value = dispatch(x.dtype(), [&](auto type) { return static_cast<double>(x.data<decltype(type)>()[i]); });
  return std::string(std::isnan(value) ? "NaN" : value > 0 ? "inf" : "-inf") + " at element " + std::to_string(i) + " of shape " + to_string(x.shape());
}

std::string shapes_of(std::span<const Tensor> inputs) {
  std::string text;
  for (const Tensor& input : inputs) text += (text.empty() ? "" : ", ") + to_string(input.shape());
  return text;
}

}  // namespace

AnomalyMode::AnomalyMode(bool enabled) : before_(std::exchange(detail::anomalies_watched, enabled)) {}
AnomalyMode::~AnomalyMode() {
  detail::anomalies_watched = before_;
  if (before_) return;
  watch().recorded_at.clear();
}

Scope::Scope(std::string_view name, std::source_location where) { watch().scopes.push_back({name, where}); }
Scope::~Scope() { watch().scopes.pop_back(); }

namespace detail {

void check_recorded(Node& node) {
  if (watch().replaying) return;
  const std::string place = describe_place();
  if (!place.empty()) watch().recorded_at[node.sequence] = place;
  // Once computed, a node may let go of both.
  const std::shared_ptr<const Op> op = node.op;
  const std::span<const Tensor> held = std::as_const(node.inputs).span();
  const std::vector<Tensor> inputs(held.begin(), held.end());
  evaluate(&node);
  const Tensor output{Ref<Node>(&node)};
  const std::int64_t i = first_anomaly(output);
  if (i < 0) return;
  for (const Tensor& input : inputs)
    if (first_anomaly(input) >= 0) return;  // it was not this op
  throw std::runtime_error("anomaly: '" + std::string(op->name()) + "' gives " + at_element(output, i) + ", of finite inputs of shapes " +
                           shapes_of(inputs) + place);
}

ReplayWatch::ReplayWatch() : before_(std::exchange(watch().replaying, true)) {}
ReplayWatch::~ReplayWatch() { watch().replaying = before_; }

void ReplayWatch::check(const Node& node, std::size_t input, const Tensor& g, const Tensor& cotangent) {
  const std::int64_t i = first_anomaly(cotangent);
  if (i < 0 || first_anomaly(g) >= 0) return;
  const auto found = watch().recorded_at.find(node.sequence);
  throw std::runtime_error("anomaly: the gradient of '" + std::string(node.op->name()) + "' of shape " + to_string(node.shape) + " gives its input " +
                           std::to_string(input) + " the cotangent " + at_element(cotangent, i) + ", of a finite one" +
                           (found != watch().recorded_at.end() ? found->second : ""));
}

}  // namespace detail
}  // namespace xgrad
