// What the fuzz targets have in common: the bytes they are given become a file.
#pragma once

#include <sys/mman.h>
#include <unistd.h>

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <filesystem>
#include <stdexcept>
#include <string>

namespace fuzz {

/// A file in memory that holds `size` bytes, reachable by a path while it lives.
class Input {
 public:
  Input(const std::uint8_t* data, std::size_t size) : descriptor_(::memfd_create("fuzz", MFD_CLOEXEC)) {
    if (descriptor_ < 0 || ::write(descriptor_, data, size) != static_cast<ssize_t>(size)) std::abort();
  }
  ~Input() { ::close(descriptor_); }
  Input(const Input&) = delete;
  Input& operator=(const Input&) = delete;

  std::filesystem::path path() const { return "/proc/self/fd/" + std::to_string(descriptor_); }

 private:
  int descriptor_;
};

/// Ends the program, which the fuzzer reports, unless `condition` holds.
inline void require(bool condition) {
  if (!condition) std::abort();
}

/// Calls each of `readers` with the path of a file of the bytes. A std::runtime_error that says which file it is about
/// is the right answer to bad bytes; any other exception is a finding.
template <class... Readers>
int run(const std::uint8_t* data, std::size_t size, const Readers&... readers) {
  const Input input(data, size);
  const auto read_by = [&](const auto& reader) {
    try {
      reader(input.path());
    } catch (const std::runtime_error& error) {
      const std::string message = error.what();
      require(message.find(input.path().string()) != message.npos && message.size() < 10'000);
    }
  };
  (read_by(readers), ...);
  return 0;
}

}  // namespace fuzz
