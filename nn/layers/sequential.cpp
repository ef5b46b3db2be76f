#include <nn/layers/sequential.hpp>
#include <stdexcept>

namespace xgrad::nn {

Tensor Sequential::operator()(const Tensor& x) const {
  Tensor y = x;
  for (const auto& entry : entries_) y = entry->call(y);
  return y;
}

void Sequential::visit_members(MemberVisitor& visitor) {
  for (std::size_t i = 0; i < entries_.size(); ++i)
    if (Module* const module = entries_[i]->module()) visitor.child(std::to_string(i), *module);
}

Sequential::Entry& Sequential::entry(std::size_t i) {
  if (i >= entries_.size())
    throw xgrad::detail::located<std::out_of_range>("Sequential: no layer " + std::to_string(i) + " among " + std::to_string(entries_.size()));
  return *entries_[i];
}

void Sequential::throw_type(std::size_t i) {
  throw xgrad::detail::located<std::invalid_argument>("Sequential: layer " + std::to_string(i) + " is of another type than the one asked for");
}

}  // namespace xgrad::nn
