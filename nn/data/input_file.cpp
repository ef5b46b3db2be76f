#include <fcntl.h>
#include <unistd.h>
#include <zlib.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <limits>
#include <new>
#include <nn/data/input_file.hpp>
#include <stdexcept>
#include <system_error>

namespace xgrad::nn::detail {

namespace {

constexpr std::array<unsigned char, 2> gzip_magic{0x1F, 0x8B};

}  // namespace

/// Decompresses member after member. zlib's own gzread tells a whole file from one whose trailer is missing in some
/// versions only; `inflate` reports the end of a member once it has compared checksum and length.
struct InputFile::Inflater {
  Inflater() {
    if (inflateInit2(&stream, MAX_WBITS + 16) != Z_OK) throw std::bad_alloc();  // 16: members of gzip alone
  }
  ~Inflater() { inflateEnd(&stream); }
  Inflater(const Inflater&) = delete;
  Inflater& operator=(const Inflater&) = delete;

  z_stream stream{};
  bool in_member = false;
  std::array<unsigned char, std::size_t{1} << 17> input;
};

InputFile::InputFile(std::string_view reader, const std::filesystem::path& path, std::uint64_t max_decompressed)
    : place_(std::string(reader) + ": " + path.string()), max_decompressed_(max_decompressed) {
  std::error_code error;
  const auto status = std::filesystem::status(path, error);
  if (!std::filesystem::exists(status)) fail("no such file");
  if (!std::filesystem::is_regular_file(status)) fail("not a regular file");
  bytes_on_disk_ = std::filesystem::file_size(path, error);
  if (error) fail(error.message());
  descriptor_ = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (descriptor_ < 0) fail(std::generic_category().message(errno));
  try {
    std::array<unsigned char, 2> first{};
    if (read_plain(first.data(), first.size()) == first.size() && first == gzip_magic)
      inflater_ = std::make_unique<Inflater>();
    if (::lseek(descriptor_, 0, SEEK_SET) != 0) fail(std::generic_category().message(errno));
  } catch (...) {
    ::close(descriptor_);
    throw;
  }
}

InputFile::~InputFile() { ::close(descriptor_); }

std::size_t InputFile::read(void* target, std::size_t size) {
  return inflater_ ? read_compressed(target, size) : read_plain(target, size);
}

std::size_t InputFile::read_plain(void* target, std::size_t size) {
  auto* bytes = static_cast<unsigned char*>(target);
  std::size_t done = 0;
  while (done < size) {
    const ssize_t got = ::read(descriptor_, bytes + done, std::min<std::size_t>(size - done, std::size_t{1} << 30));
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) fail(std::generic_category().message(errno));
    if (got == 0) break;
    done += static_cast<std::size_t>(got);
  }
  return done;
}

/// More compressed bytes; false at the end of the file.
bool InputFile::refill() {
  z_stream& stream = inflater_->stream;
  if (stream.avail_in == 0) {
    stream.next_in = inflater_->input.data();
    stream.avail_in = static_cast<uInt>(read_plain(inflater_->input.data(), inflater_->input.size()));
  }
  return stream.avail_in > 0;
}

/// Goes to the next member; false when none follows.
bool InputFile::begin_member() {
  z_stream& stream = inflater_->stream;
  for (; refill() && *stream.next_in == 0; ++stream.next_in) --stream.avail_in;
  if (!refill()) return false;
  if (*stream.next_in != gzip_magic[0]) fail("something else follows the compressed data");
  inflateReset(&stream);
  return inflater_->in_member = true;
}

std::size_t InputFile::read_compressed(void* target, std::size_t size) {
  z_stream& stream = inflater_->stream;
  auto* bytes = static_cast<unsigned char*>(target);
  std::size_t done = 0;
  while (done < size) {
    if (!inflater_->in_member && !begin_member()) break;
    if (!refill()) fail("the compressed data is cut short");
    const auto step = static_cast<uInt>(std::min<std::size_t>(size - done, std::size_t{1} << 30));
    stream.next_out = bytes + done;
    stream.avail_out = step;
    const int code = inflate(&stream, Z_NO_FLUSH);
    const std::size_t got = step - stream.avail_out;
    done += got;
    decompressed_ += got;
    check_limit(decompressed_);
    if (code == Z_STREAM_END) inflater_->in_member = false;
    else if (code == Z_MEM_ERROR) throw std::bad_alloc();
    else if (code != Z_OK && code != Z_BUF_ERROR)
      fail("the compressed data is damaged (" + std::string(stream.msg ? stream.msg : "zlib gives no reason") + ")");
  }
  return done;
}

std::uint64_t InputFile::size_bound() const {
  if (!inflater_) return bytes_on_disk_;
  // Deflate shrinks at best about 1032 times (zlib's technical notes).
  constexpr std::uint64_t most = 1100;
  return bytes_on_disk_ > std::numeric_limits<std::uint64_t>::max() / most ? std::numeric_limits<std::uint64_t>::max()
                                                                           : most * bytes_on_disk_;
}

void InputFile::check_limit(std::uint64_t bytes) const {
  if (inflater_ && bytes > max_decompressed_)
    fail("grows beyond " + std::to_string(max_decompressed_) +
         " bytes when decompressed; raise max_decompressed if it may, or decompress it first");
}

void InputFile::fail(const std::string& reason) const { throw std::runtime_error(place_ + ": " + reason); }

}  // namespace xgrad::nn::detail
