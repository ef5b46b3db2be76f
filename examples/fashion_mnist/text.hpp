// Numbers and names as people read them.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace fashion_mnist {

/// With the digits given after the point: fixed(0.12345, 3) is "0.123".
std::string fixed(double value, int digits);
/// 60000 as "60,000".
std::string grouped(std::int64_t value);
/// 0.8967 as "89.7 %".
std::string percent(double share, int digits = 1);
/// For the text of an HTML or SVG element, or an attribute in double quotes.
std::string escape(std::string_view text);

}  // namespace fashion_mnist
