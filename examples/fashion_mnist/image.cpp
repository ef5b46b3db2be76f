#include "image.hpp"

#include <zlib.h>

#include <stdexcept>
#include <string_view>

namespace fashion_mnist {

namespace {

using Bytes = std::vector<std::uint8_t>;

void append(Bytes& bytes, std::uint32_t number) {
  for (int shift = 24; shift >= 0; shift -= 8) bytes.push_back(static_cast<std::uint8_t>(number >> shift));
}

/// Length, type, data, and the checksum of type and data.
void append_chunk(Bytes& file, std::string_view type, const Bytes& data) {
  append(file, static_cast<std::uint32_t>(data.size()));
  const std::size_t checked = file.size();
  file.insert(file.end(), type.begin(), type.end());
  file.insert(file.end(), data.begin(), data.end());
  append(file, static_cast<std::uint32_t>(crc32(0, file.data() + checked, static_cast<uInt>(file.size() - checked))));
}

}  // namespace

std::vector<std::uint8_t> png(std::span<const std::uint8_t> pixels, std::size_t width, std::size_t height) {
  const std::size_t area = width * height;
  if (area == 0 || (pixels.size() != area && pixels.size() != 3 * area))
    throw std::invalid_argument("png: " + std::to_string(pixels.size()) + " bytes for " + std::to_string(width) +
                                " x " + std::to_string(height) + " pixels of one or three");
  const bool rgb = pixels.size() != area;
  const std::size_t stride = width * (rgb ? 3 : 1);

  Bytes header;
  append(header, static_cast<std::uint32_t>(width));
  append(header, static_cast<std::uint32_t>(height));
  header.insert(header.end(), {8, static_cast<std::uint8_t>(rgb ? 2 : 0), 0, 0, 0});

  Bytes rows;
  for (std::size_t y = 0; y < height; ++y) {
    rows.push_back(0);  // no filter
    rows.insert(rows.end(), pixels.begin() + static_cast<std::ptrdiff_t>(y * stride),
                pixels.begin() + static_cast<std::ptrdiff_t>((y + 1) * stride));
  }
  uLongf size = compressBound(static_cast<uLong>(rows.size()));
  Bytes compressed(size);
  if (compress2(compressed.data(), &size, rows.data(), static_cast<uLong>(rows.size()), 9) != Z_OK)
    throw std::runtime_error("png: the pixels cannot be compressed");
  compressed.resize(size);

  Bytes file{0x89, 'P', 'N', 'G', '\r', '\n', 0x1A, '\n'};
  append_chunk(file, "IHDR", header);
  append_chunk(file, "IDAT", compressed);
  append_chunk(file, "IEND", {});
  return file;
}

std::string base64(std::span<const std::uint8_t> bytes) {
  constexpr std::string_view digits = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  std::string text;
  text.reserve((bytes.size() + 2) / 3 * 4);
  for (std::size_t i = 0; i < bytes.size(); i += 3) {
    const std::size_t given = bytes.size() - i;
    const std::uint32_t group = static_cast<std::uint32_t>(bytes[i]) << 16 |
                                static_cast<std::uint32_t>(given > 1 ? bytes[i + 1] : 0) << 8 |
                                static_cast<std::uint32_t>(given > 2 ? bytes[i + 2] : 0);
    for (std::size_t j = 0; j < 4; ++j) text += j <= given ? digits[group >> (18 - 6 * j) & 63] : '=';
  }
  return text;
}

std::string png_uri(std::span<const std::uint8_t> pixels, std::size_t width, std::size_t height) {
  return "data:image/png;base64," + base64(png(pixels, width, height));
}

}  // namespace fashion_mnist
