#include <algorithm>
#include <nn/detail/excerpt.hpp>

namespace xgrad::nn::detail {

std::string excerpt(std::string_view text, std::size_t max_bytes) {
  std::size_t end = std::min(text.size(), max_bytes);
  if (end < text.size())
    while (end > 0 && (static_cast<unsigned char>(text[end]) & 0xC0) == 0x80) --end;
  std::string result(text.substr(0, end));
  std::replace_if(
      result.begin(), result.end(), [](char c) { return static_cast<unsigned char>(c) < 0x20 || c == 0x7F; }, '?');
  if (end < text.size()) result += "… (" + std::to_string(text.size()) + " bytes)";
  return result;
}

}  // namespace xgrad::nn::detail
