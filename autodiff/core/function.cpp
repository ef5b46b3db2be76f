#include <autodiff/core/function.hpp>
#include <stdexcept>
#include <string>

namespace xgrad::detail {

void throw_empty_function(std::string_view op) {
  throw located<std::invalid_argument>(std::string(op) + ": the function is empty; give it one to call");
}

}  // namespace xgrad::detail
