#pragma once

#include <random>

namespace xgrad::detail {

struct Engine : std::mt19937_64 {
  using std::mt19937_64::mt19937_64;
};

}  // namespace xgrad::detail
