// For the targets that read compressed files: half of the inputs are contents, which are compressed first, so that
// mutations reach what lies behind the checksum; the others are compressed files themselves.
#pragma once

#include <zlib.h>

#include <fuzz/input.hpp>
#include <vector>

namespace fuzz {

inline std::vector<std::uint8_t> gzip(const std::uint8_t* data, std::size_t size) {
  z_stream stream{};
  require(deflateInit2(&stream, 1, Z_DEFLATED, MAX_WBITS + 16, 8, Z_DEFAULT_STRATEGY) == Z_OK);
  std::vector<std::uint8_t> compressed(deflateBound(&stream, size));
  stream.next_in = const_cast<std::uint8_t*>(data);
  stream.avail_in = static_cast<uInt>(size);
  stream.next_out = compressed.data();
  stream.avail_out = static_cast<uInt>(compressed.size());
  require(deflate(&stream, Z_FINISH) == Z_STREAM_END);
  compressed.resize(stream.total_out);
  deflateEnd(&stream);
  return compressed;
}

/// As `run`. An input that begins with a zero byte is contents to compress, in two members.
template <class... Readers>
int run_gzip(const std::uint8_t* data, std::size_t size, const Readers&... readers) {
  if (size == 0 || data[0] != 0) return run(data, size, readers...);
  const std::size_t first = (size - 1) / 2;
  std::vector<std::uint8_t> file = gzip(data + 1, first);
  const std::vector<std::uint8_t> second = gzip(data + 1 + first, size - 1 - first);
  file.insert(file.end(), second.begin(), second.end());
  return run(file.data(), file.size(), readers...);
}

}  // namespace fuzz
