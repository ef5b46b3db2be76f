#pragma once

#include <cstddef>
#include <filesystem>
#include <string>

namespace xgrad::nn::detail {

/// A file that appears whole or not at all: written under another name in the same folder, made durable, then renamed
/// to its own. Unless committed it is removed. A symbolic link stays, and the file it names is written. A file that is
/// replaced hands on its permissions, and its owner and group where the process may set them; it is never readable by
/// more than before, not even while it is written. What saves of the same file left behind whose process was killed is
/// removed. Errors are std::runtime_error, naming the function, the file and the reason.
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
  void follow_links();
  void create();
  void copy_permissions() const;
  void remove_leftovers() const;
  void discard() noexcept;
  [[noreturn]] void fail(const std::string& what, int error) const;

  std::string function_;
  std::filesystem::path path_, target_, temporary_;
  int descriptor_ = -1;
};

}  // namespace xgrad::nn::detail
