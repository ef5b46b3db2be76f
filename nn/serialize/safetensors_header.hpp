// For load_safetensors and save_safetensors: the text at the head of a file.
#pragma once

#include <array>
#include <cstdint>
#include <nn/serialize/safetensors.hpp>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace xgrad::nn::detail {

inline constexpr std::uint64_t max_safetensors_header = 100'000'000;  // as the reference implementation
/// Containers within one another that a header may have. It needs three; what it holds beside is skipped.
inline constexpr int max_safetensors_depth = 64;

inline constexpr std::array<std::pair<std::string_view, DType>, 4> safetensors_dtypes{
    {{"F32", DType::float32}, {"F64", DType::float64}, {"I64", DType::int64}, {"BOOL", DType::bool_}}};

/// A tensor as the header describes it: bytes [begin, end) of the data are its values.
struct SafetensorsEntry {
  std::string name;
  DType dtype = DType::float32;
  Shape shape;
  std::uint64_t begin = 0, end = 0;
};

/// The entries of a header in its order, and its metadata. Takes time and memory in proportion to the text (but for
/// sorting the names), whatever it says. Throws std::runtime_error with the reason for what is no valid header.
std::vector<SafetensorsEntry> parse_safetensors_header(const std::string& text, Metadata& metadata);

}  // namespace xgrad::nn::detail
