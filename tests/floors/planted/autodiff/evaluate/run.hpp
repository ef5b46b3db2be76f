#include <autodiff/ops/add.hpp>
