// For the readers of this folder: bytes of a file that may be gzipped.
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <string>
#include <string_view>

namespace xgrad::nn::detail {

/// A file opened for reading, decompressed on the way when it begins as gzip files do (RFC 1952). A gzipped file may
/// hold several members one after another; each must be whole, down to its checksum and its length. After the last one
/// only zero bytes may follow, which are skipped. Every error is a std::runtime_error that begins with the reader's
/// name and the path.
class InputFile {
 public:
  /// A gzipped file may grow to `max_decompressed` bytes.
  /// Throws when there is no such regular file or it cannot be opened.
  InputFile(std::string_view reader, const std::filesystem::path& path, std::uint64_t max_decompressed);
  ~InputFile();
  InputFile(const InputFile&) = delete;
  InputFile& operator=(const InputFile&) = delete;

  /// Up to `size` bytes; fewer only at the end, which is reached when and only when a gzipped file has been found
  /// whole. Throws when the file cannot be read, when its compressed data is damaged, cut short or followed by
  /// something else, and when it grows beyond the limit.
  std::size_t read(void* target, std::size_t size);

  /// More bytes than the file can hold once decompressed, whatever the limit.
  std::uint64_t size_bound() const;

  /// Throws when `bytes` are more than a gzipped file may grow to.
  void check_limit(std::uint64_t bytes) const;

  /// "read_idx: images.gz", the beginning of every message.
  const std::string& place() const { return place_; }

  [[noreturn]] void fail(const std::string& reason) const;

 private:
  struct Inflater;

  std::size_t read_plain(void* target, std::size_t size);
  std::size_t read_compressed(void* target, std::size_t size);
  bool refill();
  bool begin_member();

  std::string place_;
  std::uint64_t bytes_on_disk_ = 0, max_decompressed_, decompressed_ = 0;
  int descriptor_ = -1;
  std::unique_ptr<Inflater> inflater_;  ///< none for a plain file
};

}  // namespace xgrad::nn::detail
