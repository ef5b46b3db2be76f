#include <algorithm>
#include <autodiff/core/trace_state.hpp>
#include <autodiff/evaluate/traced_function.hpp>
#include <autodiff/evaluate/trace.hpp>
#include <autodiff/transforms/jit.hpp>
#include <mutex>

namespace xgrad::detail {
namespace {

/// What was captured of a function, by the shapes it was met with.
class Jit {
 public:
  Jit(TensorsFunction f, bool verify) : f_(std::move(f)), verify_(verify) {}

  std::vector<Tensor> operator()(const std::vector<Tensor>& x) {
    for (const Tensor& argument : x) check_defined("jit", argument);
    const auto tracked = [](const Tensor& argument) { return argument.requires_grad(); };
    if (Tracing::active() || RecordingWatch::active() || anomaly_mode() || (grad_enabled() && std::any_of(x.begin(), x.end(), tracked))) return f_(x);
    std::unique_lock lock(mutex_);
    xt::svector<Node*, 8> inputs;
    for (const Tensor& argument : x) inputs.push_back(resolve(argument.node()));
    TracedFunction& captured = find({inputs.data(), inputs.size()});
    if (grad_enabled() && captured.uses_parameters()) {
      lock.unlock();
      return f_(x);
    }
    const std::span<Value> values = captured.run({inputs.data(), inputs.size()});
    std::vector<Tensor> results;
    results.reserve(values.size());
    for (std::size_t r = 0; r < values.size(); ++r)
      results.push_back(make_leaf(captured.forms()[r].shape, captured.forms()[r].dtype, std::move(values[r])));
    return results;
  }

 private:
  TracedFunction& find(std::span<Node* const> inputs) {
    const auto call = [this](std::span<const Tensor> x) { return f_(std::vector<Tensor>(x.begin(), x.end())); };
    const std::uint64_t hash = TracedFunction::hash_of(inputs);
    if (const auto* found = captured_.find(hash, [&](const auto& known) { return known->fits(inputs); })) {
      if ((*found)->trace) verify_trace("jit", *(*found)->trace, inputs, inputs.size(), call);
      return **found;
    }
    std::optional<Trace> trace;
    const auto record = [&](std::span<const Tensor> x) {
      std::vector<Tensor> results = call(x);
      for (const Tensor& result : results) check_defined("jit", result);
      if (verify_) trace.emplace(x, results);
      return results;
    };
    auto made = std::make_unique<TracedFunction>(
        "jit", inputs, std::vector<bool>(inputs.size(), false), record, TracedFunction::Reads::refused);
    made->trace = std::move(trace);
    const std::size_t size = made->size();
    return *captured_.insert(hash, std::move(made), size);
  }

  TensorsFunction f_;
  bool verify_;
  std::mutex mutex_;
  TracedFunctions<std::unique_ptr<TracedFunction>> captured_;
};

}  // namespace

TensorsFunction jit(TensorsFunction f, bool verify) {
  return [jit = std::make_shared<Jit>(std::move(f), verify)](const std::vector<Tensor>& x) { return (*jit)(x); };
}

}  // namespace xgrad::detail
