// Learning rates that change as training goes on, by PyTorch's names and formulas. A schedule sets the optimiser's
// rate when it is made and at each `step()`, called after the optimiser's step (or after each epoch, as one likes).
// It refers to the optimiser, which must outlive it. All throw std::invalid_argument for options out of range.
#pragma once

#include <nn/optim/optimizer.hpp>

namespace xgrad::nn {

class LearningRateSchedule {
 public:
  virtual ~LearningRateSchedule() = default;
  LearningRateSchedule(const LearningRateSchedule&) = delete;
  LearningRateSchedule& operator=(const LearningRateSchedule&) = delete;

  /// Sets the rate of the next step.
  void step();
  /// Steps taken.
  std::int64_t steps() const noexcept { return steps_; }

 protected:
  /// The optimiser's rate of now is the one the schedule starts from.
  explicit LearningRateSchedule(Optimizer& optimizer);
  /// The rate after so many steps.
  virtual double rate(std::int64_t steps) const = 0;
  double initial_rate() const noexcept { return initial_rate_; }
  /// Sets the rate of step 0; for constructors.
  void start();

 private:
  Optimizer& optimizer_;
  double initial_rate_;
  std::int64_t steps_ = 0;
};

/// Multiplies the rate by `gamma` every `step_size` steps.
class StepLR : public LearningRateSchedule {
 public:
  StepLR(Optimizer& optimizer, std::int64_t step_size, double gamma = 0.1);

 protected:
  double rate(std::int64_t steps) const override;

 private:
  std::int64_t step_size_;
  double gamma_;
};

/// η = η_min + (η₀ - η_min)(1 + cos(π t / t_max)) / 2: down to `minimum` at step `t_max`, then up again
/// (Loshchilov, Hutter 2016, without restarts).
class CosineAnnealingLR : public LearningRateSchedule {
 public:
  CosineAnnealingLR(Optimizer& optimizer, std::int64_t t_max, double minimum = 0);

 protected:
  double rate(std::int64_t steps) const override;

 private:
  std::int64_t t_max_;
  double minimum_;
};

/// Options of `OneCycleLR`; PyTorch's defaults. The momentum is left alone.
struct OneCycleOptions {
  double warm_up = 0.3;           ///< share of the steps in which the rate rises; PyTorch's pct_start
  double div_factor = 25;         ///< starts at max / div_factor
  double final_div_factor = 1e4;  ///< ends at max / div_factor / final_div_factor
};

/// Up from max/div_factor to `max_learning_rate` and down to almost nothing along cosines, over `total_steps` steps
/// (Smith, Topin 2017). More than `total_steps` calls of `step` throw std::logic_error.
class OneCycleLR : public LearningRateSchedule {
 public:
  OneCycleLR(Optimizer& optimizer, double max_learning_rate, std::int64_t total_steps,
             const OneCycleOptions& options = {});

 protected:
  double rate(std::int64_t steps) const override;

 private:
  double max_learning_rate_;
  std::int64_t total_steps_;
  OneCycleOptions options_;
};

}  // namespace xgrad::nn
