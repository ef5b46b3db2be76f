// For the readers of this folder: bytes of a file that may be gzipped.
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>

namespace xgrad::nn::detail {

/// A file opened for reading, decompressed on the way when it is gzipped. Every error is a std::runtime_error that
/// begins with the reader's name and the path.
class InputFile {
 public:
  /// Throws when there is no such regular file or it cannot be opened.
  InputFile(std::string_view reader, const std::filesystem::path& path);
  ~InputFile();
  InputFile(const InputFile&) = delete;
  InputFile& operator=(const InputFile&) = delete;

  /// Up to `size` bytes; fewer only at the end. Throws when the file cannot be read or its compressed data is damaged
  /// or cut short.
  std::size_t read(void* target, std::size_t size);

  /// More bytes than the file can hold once decompressed.
  std::uint64_t size_bound() const;

  /// "read_idx: images.gz", the beginning of every message.
  const std::string& place() const { return place_; }

  [[noreturn]] void fail(const std::string& reason) const;

 private:
  std::string place_;
  std::uint64_t bytes_on_disk_ = 0;
  void* file_ = nullptr;
};

}  // namespace xgrad::nn::detail
