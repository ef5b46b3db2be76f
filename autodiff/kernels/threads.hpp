#pragma once

#include <cstddef>

namespace xgrad::detail {

/// While one lives, BLAS works on the thread that calls it, wherever that is: so that threads here share the work of a product.
/// OpenBLAS's own sharing gains less, and its threads, which wait busily for more, take time from others.
class SerialBlas {
 public:
  SerialBlas();
  ~SerialBlas();
  SerialBlas(const SerialBlas&) = delete;
  SerialBlas& operator=(const SerialBlas&) = delete;
};

/// Calls `f(context, i)` for 0 <= i < count, in any order, by several threads where that pays.
void parallel_for(std::size_t count, void (*f)(const void* context, std::size_t i), const void* context);
template <class F>
void parallel_for(std::size_t count, const F& f) {
  parallel_for(count, [](const void* context, std::size_t i) { (*static_cast<const F*>(context))(i); }, &f);
}

}  // namespace xgrad::detail
