#include <autodiff/core/tensor.hpp>
