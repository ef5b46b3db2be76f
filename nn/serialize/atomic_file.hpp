#pragma once

#include <cstddef>
#include <filesystem>
#include <string>

namespace xgrad::nn::detail {

/// A file that appears whole or not at all: written under another name in the same folder, made durable, then renamed
/// to its own. Unless committed it is removed. Errors are std::runtime_error, naming the function, the file and the
/// reason.
class AtomicFile {
 public:
  AtomicFile(std::string function, const std::filesystem::path& path);
  ~AtomicFile();
  AtomicFile(const AtomicFile&) = delete;
  AtomicFile& operator=(const AtomicFile&) = delete;

  void write(const void* bytes, std::size_t count);
  /// After this the file at `path` is the new one.
  void commit();

 private:
  [[noreturn]] void fail(const std::string& what, int error) const;

  std::string function_;
  std::filesystem::path path_, temporary_;
  int descriptor_ = -1;
};

}  // namespace xgrad::nn::detail
