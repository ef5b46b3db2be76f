// Small pictures inside a page.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

namespace fashion_mnist {

/// A PNG of 8-bit grey or, with three bytes a pixel, RGB (ISO/IEC 15948). Throws std::invalid_argument unless there are
/// width · height pixels of one or three bytes, and at least one.
std::vector<std::uint8_t> png(std::span<const std::uint8_t> pixels, std::size_t width, std::size_t height);

/// RFC 4648, with padding.
std::string base64(std::span<const std::uint8_t> bytes);

/// The PNG as `src` of an <img>.
std::string png_uri(std::span<const std::uint8_t> pixels, std::size_t width, std::size_t height);

}  // namespace fashion_mnist
