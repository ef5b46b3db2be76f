// Who trains which leaf: a parameter that no module names and no optimiser has would never change, and nobody would know.
#pragma once

#include <autodiff/core/tensor.hpp>
#include <span>
#include <string_view>

namespace xgrad::nn::detail {

/// Counts a tensor, if it is a leaf that gathers gradients, among the parameters of a module or an optimiser.
void own(const Tensor& parameter);

bool owned(const Tensor& parameter);

/// Takes note of a parameter that was just made.
void await_owner(const Tensor& parameter);

/// Throws std::logic_error naming `who` when a parameter that was made (`nn::parameter`) has a gradient and no owner.
void check_gradients_owned(std::string_view who);

/// Throws std::logic_error naming `who` when a recording reaches a leaf that requires gradients, has no owner, and is none of `known`.
void check_owned(std::string_view who, const Tensor& output, std::span<const Tensor> known);

}  // namespace xgrad::nn::detail
