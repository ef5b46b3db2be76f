#include <zlib.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <nn/data/input_file.hpp>
#include <stdexcept>
#include <system_error>

namespace xgrad::nn::detail {

namespace {

gzFile handle(void* file) { return static_cast<gzFile>(file); }

}  // namespace

InputFile::InputFile(std::string_view reader, const std::filesystem::path& path)
    : place_(std::string(reader) + ": " + path.string()) {
  std::error_code error;
  const auto status = std::filesystem::status(path, error);
  if (!std::filesystem::exists(status)) fail("no such file");
  if (!std::filesystem::is_regular_file(status)) fail("not a regular file");
  bytes_on_disk_ = std::filesystem::file_size(path, error);
  if (error) fail(error.message());
  errno = 0;
  file_ = gzopen(path.c_str(), "rb");
  if (!file_) fail(errno ? std::strerror(errno) : "cannot be opened");
  gzbuffer(handle(file_), 1u << 17);
}

InputFile::~InputFile() {
  if (file_) gzclose(handle(file_));
}

std::size_t InputFile::read(void* target, std::size_t size) {
  auto* bytes = static_cast<char*>(target);
  std::size_t done = 0;
  while (done < size) {
    const auto step = static_cast<unsigned>(std::min<std::size_t>(size - done, 1u << 30));
    const int got = gzread(handle(file_), bytes + done, step);
    if (got > 0) done += static_cast<std::size_t>(got);
    if (got < static_cast<int>(step)) {
      // gzread reports a stream cut short only as fewer bytes than asked, the reason beside it.
      int code = Z_OK;
      const char* message = gzerror(handle(file_), &code);
      if (code == Z_BUF_ERROR) fail("the compressed data is cut short");
      if (code == Z_ERRNO) fail(std::strerror(errno));
      if (code != Z_OK && code != Z_STREAM_END) fail("the compressed data is damaged (" + std::string(message) + ")");
      break;
    }
  }
  return done;
}

std::uint64_t InputFile::size_bound() const {
  // Deflate shrinks at best about 1032 times (zlib's technical notes).
  return gzdirect(handle(file_)) ? bytes_on_disk_ : 1100 * bytes_on_disk_;
}

void InputFile::fail(const std::string& reason) const { throw std::runtime_error(place_ + ": " + reason); }

}  // namespace xgrad::nn::detail
