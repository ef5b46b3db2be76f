#include <fcntl.h>
#include <unistd.h>
#include <nn/serialize/atomic_file.hpp>

#include <atomic>
#include <cerrno>
#include <stdexcept>
#include <system_error>

namespace xgrad::nn::detail {

AtomicFile::AtomicFile(std::string function, const std::filesystem::path& path)
    : function_(std::move(function)), path_(path) {
  static std::atomic<unsigned> counter{0};
  if (!path_.has_filename()) fail("is no file name", EISDIR);
  do {
    temporary_ = path_;
    temporary_ += ".tmp-" + std::to_string(::getpid()) + '-' + std::to_string(counter++);
    descriptor_ = ::open(temporary_.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
  } while (descriptor_ < 0 && errno == EEXIST);
  if (descriptor_ < 0) fail("cannot be written", errno);
}

AtomicFile::~AtomicFile() {
  if (descriptor_ >= 0) ::close(descriptor_);
  if (!temporary_.empty()) ::unlink(temporary_.c_str());
}

void AtomicFile::write(const void* bytes, std::size_t count) {
  const char* next = static_cast<const char*>(bytes);
  while (count > 0) {
    const ssize_t written = ::write(descriptor_, next, count);
    if (written < 0 && errno == EINTR) continue;
    if (written <= 0) fail("cannot be written", written < 0 ? errno : ENOSPC);
    next += written;
    count -= static_cast<std::size_t>(written);
  }
}

void AtomicFile::commit() {
  if (::fsync(descriptor_) != 0) fail("cannot be written", errno);
  const int closed = ::close(descriptor_);
  descriptor_ = -1;
  if (closed != 0) fail("cannot be written", errno);
  if (::rename(temporary_.c_str(), path_.c_str()) != 0) fail("cannot be replaced", errno);
  temporary_.clear();
  // The new name is made durable too. The file is in place by now, so a folder that cannot be synced is no failure.
  const std::filesystem::path folder = path_.has_parent_path() ? path_.parent_path() : ".";
  if (const int descriptor = ::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC); descriptor >= 0) {
    static_cast<void>(::fsync(descriptor));
    ::close(descriptor);
  }
}

void AtomicFile::fail(const std::string& what, int error) const {
  throw std::runtime_error(function_ + ": '" + path_.string() + "' " + what + ": " +
                           std::generic_category().message(error));
}

}  // namespace xgrad::nn::detail
