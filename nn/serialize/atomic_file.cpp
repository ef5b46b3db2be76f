#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>
#include <nn/serialize/atomic_file.hpp>

#include <atomic>
#include <cerrno>
#include <stdexcept>
#include <string_view>
#include <system_error>

namespace xgrad::nn::detail {

namespace {

constexpr std::string_view mark = ".tmp-";  // between the name of a file and the numbers that make it another one

/// Whether `name` is one that `create` makes for a file called `file`: the mark, a number, a dash, a number.
bool is_temporary_name(std::string_view name, std::string_view file) {
  if (!name.starts_with(file) || !name.substr(file.size()).starts_with(mark)) return false;
  const std::string_view numbers = name.substr(file.size() + mark.size());
  const std::size_t dash = numbers.find('-');
  return dash != numbers.npos && dash > 0 && dash + 1 < numbers.size() &&
         numbers.find_first_not_of("0123456789-") == numbers.npos && numbers.find('-', dash + 1) == numbers.npos;
}

std::filesystem::path folder_of(const std::filesystem::path& path) {
  return path.has_parent_path() ? path.parent_path() : ".";
}

/// Waits for the lock that shows a process to be at work on a file, and that goes when the process does. Where a file
/// system has no locks, leftovers cannot be told from what is being written, and stay.
void lock(int descriptor) {
  while (::flock(descriptor, LOCK_EX) != 0 && errno == EINTR) {
  }
}

/// Whether the file that is open still goes by this name.
bool is_named(int descriptor, const std::filesystem::path& path) {
  struct stat open_file {
  }, named{};
  return ::fstat(descriptor, &open_file) == 0 && ::lstat(path.c_str(), &named) == 0 &&
         open_file.st_dev == named.st_dev && open_file.st_ino == named.st_ino;
}

}  // namespace

AtomicFile::AtomicFile(std::string function, const std::filesystem::path& path)
    : function_(std::move(function)), path_(path), target_(path) {
  follow_links();
  if (!target_.has_filename()) fail("is no file name", EISDIR);
  remove_leftovers();
  try {
    create();
    copy_permissions();
  } catch (...) {
    discard();
    throw;
  }
}

AtomicFile::~AtomicFile() { discard(); }

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
  // The file is closed, and its lock let go, once it has its own name.
  if (::rename(temporary_.c_str(), target_.c_str()) != 0) fail("cannot be replaced", errno);
  temporary_.clear();
  const int closed = ::close(descriptor_);
  descriptor_ = -1;
  if (closed != 0) fail("cannot be written", errno);
  // The new name is made durable too. The file is in place by now, so a folder that cannot be synced is no failure.
  if (const int folder = ::open(folder_of(target_).c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC); folder >= 0) {
    static_cast<void>(::fsync(folder));
    ::close(folder);
  }
}

/// Sets `target_` to the file that `path_` leads to, which need not exist.
void AtomicFile::follow_links() {
  constexpr int most_links = 40;  // as Linux
  std::error_code error;
  for (int links = 0; std::filesystem::is_symlink(std::filesystem::symlink_status(target_, error)); ++links) {
    if (links == most_links) fail("cannot be written", ELOOP);
    const std::filesystem::path next = std::filesystem::read_symlink(target_, error);
    if (error) fail("cannot be read as a link", error.value());
    target_ = folder_of(target_) / next;  // just `next` where that is absolute
  }
}

/// Opens a new file beside the target, locked.
void AtomicFile::create() {
  static std::atomic<unsigned> counter{0};
  struct stat replaced {};
  const bool replaces = ::stat(target_.c_str(), &replaced) == 0;
  if (replaces && !S_ISREG(replaced.st_mode)) fail("is no regular file", S_ISDIR(replaced.st_mode) ? EISDIR : EINVAL);
  while (true) {
    temporary_ = target_;
    temporary_ += std::string(mark) + std::to_string(::getpid()) + '-' + std::to_string(counter++);
    // What is to be as private as the file it replaces begins as private as can be.
    descriptor_ = ::open(temporary_.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, replaces ? 0600 : 0666);
    if (descriptor_ < 0 && errno == EEXIST) continue;
    if (descriptor_ < 0) {
      const int error = errno;
      temporary_.clear();
      fail("cannot be written", error);
    }
    lock(descriptor_);
    // Another process may have found it before it was locked, and taken it for a leftover.
    if (is_named(descriptor_, temporary_)) return;
    ::close(descriptor_);
  }
}

/// Gives the new file what the one it replaces has, if there is one.
void AtomicFile::copy_permissions() const {
  struct stat replaced {
  }, mine{};
  if (::stat(target_.c_str(), &replaced) != 0) return;
  if (::fstat(descriptor_, &mine) != 0) fail("cannot be written", errno);
  mode_t mode = replaced.st_mode & 0777;
  // Where the owner cannot be set it becomes a file of who saves it. What a group may do is not for another group.
  [[maybe_unused]] const bool keeps_owner =
      mine.st_uid == replaced.st_uid || ::fchown(descriptor_, replaced.st_uid, static_cast<gid_t>(-1)) == 0;
  if (mine.st_gid != replaced.st_gid && ::fchown(descriptor_, static_cast<uid_t>(-1), replaced.st_gid) != 0)
    mode &= ~static_cast<mode_t>(070);
  if (::fchmod(descriptor_, mode) != 0) fail("cannot be given the permissions of the file it replaces", errno);
}

/// Removes files of this name that no process has locked. One that cannot be removed does no harm to this save.
void AtomicFile::remove_leftovers() const {
  std::error_code error;
  const std::string file = target_.filename();
  for (std::filesystem::directory_iterator entry(folder_of(target_), error), end; !error && entry != end;
       entry.increment(error)) {
    if (!is_temporary_name(entry->path().filename().native(), file)) continue;
    const int descriptor = ::open(entry->path().c_str(), O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
    if (descriptor < 0) continue;
    if (::flock(descriptor, LOCK_EX | LOCK_NB) == 0 && is_named(descriptor, entry->path()))
      ::unlink(entry->path().c_str());
    ::close(descriptor);
  }
}

void AtomicFile::discard() noexcept {
  // Removed while it is locked: no other process takes it for its own.
  if (!temporary_.empty()) ::unlink(temporary_.c_str());
  if (descriptor_ >= 0) ::close(descriptor_);
  temporary_.clear();
  descriptor_ = -1;
}

void AtomicFile::fail(const std::string& what, int error) const {
  throw std::runtime_error(function_ + ": '" + path_.string() + "' " + what + ": " +
                           std::generic_category().message(error));
}

}  // namespace xgrad::nn::detail
