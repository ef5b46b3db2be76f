#pragma once

#include <concepts>
#include <memory>
#include <nn/module.hpp>

namespace xgrad::nn {

/// What a `Sequential` holds: a module or a function from a tensor to a tensor.
template <class L>
concept Layer = std::invocable<const std::decay_t<L>&, const Tensor&> &&
                std::convertible_to<std::invoke_result_t<const std::decay_t<L>&, const Tensor&>, Tensor> &&
                std::constructible_from<std::decay_t<L>, L>;

/// Layers applied one after another; parameters are named by position: `0.weight`, `2.bias`.
///
///     nn::Sequential model(nn::Linear(784, 256), nn::ReLU(), nn::Linear(256, 10));
///
/// Modules are moved in. Functions take part too:
///
///     nn::Sequential model(std::move(encoder), xgrad::relu, [](const Tensor& x) { return x * 2; });
class Sequential : public Module {
 public:
  Sequential() = default;
  template <Layer... L>
    requires(sizeof...(L) > 1 || (!std::same_as<std::decay_t<L>, Sequential> && ...))
  explicit Sequential(L&&... layers) {
    (append(std::forward<L>(layers)), ...);
  }

  /// Adds a layer at the end.
  template <Layer L>
  Sequential& append(L&& layer) {
    entries_.push_back(std::make_unique<Holder<std::decay_t<L>>>(std::forward<L>(layer)));
    return *this;
  }

  Tensor operator()(const Tensor& x) const;

  std::size_t size() const noexcept { return entries_.size(); }

  /// The layer at a position, of the type it was added as.
  /// Throws std::out_of_range for another position, std::invalid_argument for another type.
  template <class L>
  L& get(std::size_t i) {
    auto* const holder = dynamic_cast<Holder<L>*>(&entry(i));
    if (!holder) throw_type(i);
    return holder->layer;
  }

  void visit_members(MemberVisitor& visitor) override;

 private:
  struct Entry {
    virtual ~Entry() = default;
    virtual Tensor call(const Tensor& x) const = 0;
    virtual Module* module() = 0;
  };
  template <class L>
  struct Holder : Entry {
    template <class From>
    explicit Holder(From&& from) : layer(std::forward<From>(from)) {}
    Tensor call(const Tensor& x) const override { return layer(x); }
    Module* module() override {
      if constexpr (std::is_base_of_v<Module, L>) return &layer;
      else return nullptr;
    }
    L layer;
  };

  Entry& entry(std::size_t i);
  [[noreturn]] static void throw_type(std::size_t i);

  std::vector<std::unique_ptr<Entry>> entries_;
};

}  // namespace xgrad::nn
