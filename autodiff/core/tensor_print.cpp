#define XGRAD_WITH_XT_PRINT
#include <algorithm>
#include <autodiff/core/tensor.hpp>
#include <cmath>
#include <limits>
#include <ostream>
#include <sstream>
#include <string>

namespace xgrad {
namespace {

/// Continuation lines under the first bracket.
std::string indent(const std::string& text, std::size_t columns) {
  std::string result;
  for (const char c : text) {
    result += c;
    if (c == '\n') result.append(columns, ' ');
  }
  return result;
}

std::string values(const Tensor& tensor) {
  std::ostringstream stream;
  dispatch(tensor.dtype(), [&](auto type) {
    using T = decltype(type);
    const auto array = tensor.array<T>();
    if (array.size() == 0) stream << "[]";
    else if constexpr (std::is_floating_point_v<T>) {
      // The sign of a NaN says nothing and would be printed.
      xt::xarray<T> shown = array;
      for (T& value : shown)
        if (std::isnan(value)) value = std::numeric_limits<T>::quiet_NaN();
      if (shown.dimension() > 0) stream << shown;
      else stream << shown();
    } else if constexpr (std::is_same_v<T, bool>) {
      if (array.dimension() > 0) stream << array;
      else stream << (array() ? "true" : "false");
    } else if (array.dimension() == 0) stream << array();
    else {
      // As text, for xtensor measures the width of whole numbers by their absolute values, which the smallest one has not.
      xt::xarray<std::string> shown = xt::xarray<std::string>::from_shape(array.shape());
      std::transform(array.begin(), array.end(), shown.begin(), [](T value) { return std::to_string(value); });
      stream << shown;
    }
  });
  std::string text = stream.str();
  while (!text.empty() && text.back() == '\n') text.pop_back();
  // xtensor opens a row as NumPy closes it; make {{1, 2}} read [[1, 2]].
  for (char& c : text) c = c == '{' ? '[' : c == '}' ? ']' : c;
  return text;
}

}  // namespace

std::ostream& operator<<(std::ostream& stream, const Tensor& tensor) {
  if (!tensor.defined()) return stream << "tensor(undefined)";
  constexpr std::string_view opening = "tensor(";
  stream << opening << indent(values(tensor), opening.size()) << ", shape=" << to_string(tensor.shape())
         << ", dtype=" << name_of(tensor.dtype());
  if (tensor.requires_grad()) stream << ", requires_grad=true";
  return stream << ')';
}

std::string to_string(const Tensor& tensor) {
  std::ostringstream stream;
  stream << tensor;
  return stream.str();
}

}  // namespace xgrad
