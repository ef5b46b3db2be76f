#include <algorithm>
#include <autodiff/core/trace_state.hpp>
#include <autodiff/debug/anomaly.hpp>
#include <autodiff/gradient/backward.hpp>
#include <autodiff/core/tape.hpp>
#include <nn/detail/ownership.hpp>
#include <nn/optim/optimizer_plan.hpp>
#include <nn/optim/train_step.hpp>
#include <stdexcept>

namespace xgrad::nn {
namespace {

using namespace xgrad::detail;

/// While it lives, what uses the parameters uses the tensors that stand in for them.
class Substitution {
 public:
  Substitution(std::span<const Tensor> parameters, std::span<const Tensor> stand_ins) : parameters_(parameters) {
    for (std::size_t i = 0; i < parameters.size(); ++i) {
      values_.push_back(parameters[i].node()->current);
      parameters[i].node()->current = Ref<Node>(stand_ins[i].node());
    }
  }
  ~Substitution() {
    for (std::size_t i = 0; i < values_.size(); ++i) parameters_[i].node()->current = std::move(values_[i]);
  }
  Substitution(const Substitution&) = delete;
  Substitution& operator=(const Substitution&) = delete;

 private:
  std::span<const Tensor> parameters_;
  std::vector<Ref<Node>> values_;
};

void check_loss(const Tensor& loss) {
  check_defined("TrainStep", loss);
  if (loss.size() != 1 || !is_floating(loss.dtype()))
    throw std::invalid_argument("TrainStep: the loss is " + to_string(loss.shape()) + ' ' + std::string(name_of(loss.dtype())) +
                                "; it must be floating, of one element");
}

}  // namespace

struct TrainStep::Work {
  Optimizer::Stepping stepping;
  TracedFunctions<std::unique_ptr<Optimizer::Plan>> plans;  ///< by the shapes of batches
};

TrainStep::TrainStep(Optimizer& optimizer, Loss loss, std::size_t arity, JitOptions options)
    : optimizer_(optimizer), loss_(std::move(loss)), arity_(arity), options_(options), work_(std::make_unique<Work>()) {}
TrainStep::~TrainStep() = default;

Tensor TrainStep::run_eagerly(std::span<const Tensor> batch) {
  optimizer_.zero_grad();
  const GradMode tracking(true);
  const Tensor loss = loss_(batch);
  check_loss(loss);
  loss.backward();
  optimizer_.step();
  optimizer_.zero_grad();
  return loss.detach();
}

Tensor TrainStep::run(std::span<const Tensor> batch) {
  Capturing::refuse("TrainStep");
  for (const Tensor& tensor : batch) check_defined("TrainStep", tensor);
  if (arity_ != any && batch.size() != arity_)
    throw std::invalid_argument("TrainStep: a batch of " + std::to_string(batch.size()) + " tensors for a loss of " + std::to_string(arity_));
  if (anomaly_mode()) return run_eagerly(batch);
  NoGrad guard;
  Optimizer::Stepping& stepping = work_->stepping;
  std::vector<Tensor>& parameters = optimizer_.parameters_;
  stepping.chosen.clear(), stepping.inputs.clear();
  for (const Tensor& tensor : batch) stepping.inputs.push_back(resolve(tensor.node()));
  for (std::size_t i = 0; i < parameters.size(); ++i)
    if (parameters[i].requires_grad()) stepping.chosen.push_back(i);
  if (stepping.chosen.empty()) throw std::logic_error("TrainStep: no parameter requires gradients; call set_requires_grad() on them");
  optimizer_.gather(stepping);

  std::vector<Tensor> chosen;
  for (const std::size_t i : stepping.chosen) chosen.push_back(parameters[i]);
  const auto record_loss = [&](std::span<const Tensor> inputs, std::span<const Tensor> stand_ins) {
    for (const Tensor& stand_in : stand_ins) stand_in.node()->requires_grad = true;
    const Substitution substitution(chosen, stand_ins);
    const GradMode tracking(true);
    const Tensor loss = loss_(inputs);
    check_loss(loss);
    if (!loss.requires_grad()) throw std::logic_error("TrainStep: the loss depends on no parameter of the optimizer");
    nn::detail::check_owned("TrainStep", loss, stand_ins);
    return loss;
  };
  auto& plans = work_->plans;
  const std::uint64_t hash = TracedFunction::hash_of({stepping.inputs.data(), batch.size()});
  const auto* found = plans.find(hash, [&](const auto& plan) { return optimizer_.fits(*plan, stepping); });
  if (found) {
    if (const std::optional<Trace>& trace = (*found)->computation->trace) {
      std::vector<Node*> inputs(stepping.inputs.begin(), stepping.inputs.begin() + static_cast<std::ptrdiff_t>(batch.size()));
      for (const Tensor& parameter : chosen) inputs.push_back(resolve(parameter.node()));
      verify_trace("TrainStep", *trace, inputs, batch.size(), [&](std::span<const Tensor> x) {
        return std::vector<Tensor>{record_loss(x.first(batch.size()), x.subspan(batch.size()))};
      });
    }
  } else {
    std::optional<Trace> trace;
    const auto record_gradients = [&](std::span<const Tensor> inputs, std::span<const Tensor> stand_ins, std::vector<Tensor>& results) {
      const Tensor loss = record_loss(inputs, stand_ins);
      if (options_.verify) {
        std::vector<Tensor> all(inputs.begin(), inputs.end());
        all.insert(all.end(), stand_ins.begin(), stand_ins.end());
        trace.emplace(all, std::span(&loss, 1));
      }
      results.push_back(loss);
      const Substitution substitution(chosen, stand_ins);  // rules may call what the loss calls
      const GradMode tracking(true);
      return grad({loss}, std::vector<Tensor>(stand_ins.begin(), stand_ins.end()), {.allow_unused = true});
    };
    auto made = optimizer_.make_plan(stepping, record_gradients, "TrainStep", false);
    made->computation->trace = std::move(trace);
    const std::size_t size = made->computation->size();
    found = &plans.insert(hash, std::move(made), size);
  }
  Optimizer::Plan& plan = **found;
  const std::span<Value> results = plan.computation->run(stepping.inputs);
  const TracedFunction::Form& form = plan.computation->forms()[0];
  Tensor loss = make_leaf(form.shape, form.dtype, std::move(results[0]));
  optimizer_.take_on(plan, results);
  for (const std::size_t i : stepping.chosen) parameters[i].zero_grad();
  return loss;
}

}  // namespace xgrad::nn
