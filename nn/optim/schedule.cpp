#include <algorithm>
#include <cmath>
#include <nn/optim/schedule.hpp>
#include <numbers>
#include <stdexcept>

namespace xgrad::nn {
namespace {

void require(bool condition, const std::string& what) {
  if (!condition) throw std::invalid_argument(what);
}

/// From `start` at 0 to `end` at 1 along half a cosine.
double cosine(double start, double end, double share) {
  return end + (start - end) / 2 * (1 + std::cos(std::numbers::pi * share));
}

}  // namespace

LearningRateSchedule::LearningRateSchedule(Optimizer& optimizer)
    : optimizer_(optimizer), initial_rate_(optimizer.learning_rate()) {}

void LearningRateSchedule::start() { optimizer_.set_learning_rate(rate(0)); }

void LearningRateSchedule::step() {
  optimizer_.set_learning_rate(rate(steps_ + 1));
  ++steps_;
}

StepLR::StepLR(Optimizer& optimizer, std::int64_t step_size, double gamma)
    : LearningRateSchedule(optimizer), step_size_(step_size), gamma_(gamma) {
  require(step_size > 0, "StepLR: step_size must be positive, got " + std::to_string(step_size));
  require(std::isfinite(gamma) && gamma >= 0,
          "StepLR: gamma must be a number of at least 0, got " + std::to_string(gamma));
}

double StepLR::rate(std::int64_t steps) const {
  return initial_rate() * std::pow(gamma_, static_cast<double>(steps / step_size_));
}

CosineAnnealingLR::CosineAnnealingLR(Optimizer& optimizer, std::int64_t t_max, double minimum)
    : LearningRateSchedule(optimizer), t_max_(t_max), minimum_(minimum) {
  require(t_max > 0, "CosineAnnealingLR: t_max must be positive, got " + std::to_string(t_max));
  require(std::isfinite(minimum) && minimum >= 0,
          "CosineAnnealingLR: the minimum must be a number of at least 0, got " + std::to_string(minimum));
}

double CosineAnnealingLR::rate(std::int64_t steps) const {
  return cosine(initial_rate(), minimum_, static_cast<double>(steps) / static_cast<double>(t_max_));
}

OneCycleLR::OneCycleLR(Optimizer& optimizer, double max_learning_rate, std::int64_t total_steps,
                       const OneCycleOptions& options)
    : LearningRateSchedule(optimizer),
      max_learning_rate_(max_learning_rate),
      total_steps_(total_steps),
      options_(options) {
  require(std::isfinite(max_learning_rate) && max_learning_rate > 0,
          "OneCycleLR: the largest learning rate must be positive, got " + std::to_string(max_learning_rate));
  require(total_steps > 0, "OneCycleLR: total_steps must be positive, got " + std::to_string(total_steps));
  require(options.warm_up >= 0 && options.warm_up <= 1,
          "OneCycleLR: warm_up must lie in [0, 1], got " + std::to_string(options.warm_up));
  require(options.div_factor > 0 && options.final_div_factor > 0,
          "OneCycleLR: div_factor and final_div_factor must be positive, got " + std::to_string(options.div_factor) +
              " and " + std::to_string(options.final_div_factor));
  start();
}

double OneCycleLR::rate(std::int64_t steps) const {
  if (steps > total_steps_)
    throw std::logic_error("OneCycleLR: the cycle of " + std::to_string(total_steps_) + " steps is over");
  const double low = max_learning_rate_ / options_.div_factor, last = low / options_.final_div_factor;
  const double total = static_cast<double>(total_steps_);
  const double t = std::min(static_cast<double>(steps), total - 1);  // the step after the last one sets a rate too
  const double top = options_.warm_up * total - 1;                   // as PyTorch counts
  if (t <= top) return top > 0 ? cosine(low, max_learning_rate_, t / top) : max_learning_rate_;
  const double length = total - 1 - top;
  return length > 0 ? cosine(max_learning_rate_, last, (t - top) / length) : last;
}

}  // namespace xgrad::nn
