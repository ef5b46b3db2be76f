#include <nn/data/idx.hpp>

#include <algorithm>
#include <array>
#include <autodiff/core/shape.hpp>
#include <bit>
#include <cstdint>
#include <cstdio>
#include <limits>
#include <nn/data/input_file.hpp>
#include <stdexcept>
#include <string>
#include <vector>

namespace xgrad::nn {

namespace {

using detail::InputFile;

constexpr std::string_view function = "read_idx";

struct Header {
  unsigned type = 0;
  Shape shape;
};

/// The unsigned number whose bytes lie at `bytes`, most significant first.
template <class U>
U big_endian(const unsigned char* bytes) {
  U value = 0;
  for (std::size_t i = 0; i < sizeof(U); ++i) value = static_cast<U>(value << 8 | bytes[i]);
  return value;
}

/// Calls `f` with a value of the C++ type that an IDX type code names.
template <class F>
auto dispatch_type(const InputFile& file, unsigned type, F&& f) {
  switch (type) {
    case 0x08: return f(std::uint8_t{});
    case 0x09: return f(std::int8_t{});
    case 0x0B: return f(std::int16_t{});
    case 0x0C: return f(std::int32_t{});
    case 0x0D: return f(float{});
    case 0x0E: return f(double{});
    default: break;
  }
  char code[8];
  std::snprintf(code, sizeof code, "0x%02X", type);
  file.fail("not an IDX file: unknown element type " + std::string(code));
}

Header read_header(InputFile& file) {
  std::array<unsigned char, 4> magic{};
  if (file.read(magic.data(), 4) < 4) file.fail("not an IDX file: it ends within the header");
  if (magic[0] != 0 || magic[1] != 0) file.fail("not an IDX file: it does not begin with two zero bytes");
  Header header{magic[2], Shape(magic[3])};
  dispatch_type(file, header.type, [](auto) {});
  if (magic[3] == 0) file.fail("not an IDX file: it has no axes");
  for (auto& extent : header.shape) {
    std::array<unsigned char, 4> bytes{};
    if (file.read(bytes.data(), 4) < 4) file.fail("not an IDX file: it ends within the header");
    extent = big_endian<std::uint32_t>(bytes.data());
  }
  return header;
}

/// Throws unless the file can hold all that its header announces: memory is not taken on trust.
void check_size(const InputFile& file, const Header& header, std::size_t element_size) {
  std::uint64_t bytes = element_size;  // with 1 in place of 0: an empty shape too must fit the arithmetic of strides
  bool fits = true;
  for (const auto extent : header.shape)
    fits = fits &&
           !__builtin_mul_overflow(bytes, std::max<std::uint64_t>(static_cast<std::uint64_t>(extent), 1), &bytes) &&
           bytes <= static_cast<std::uint64_t>(std::numeric_limits<std::int64_t>::max()) / 16;
  const bool empty = std::find(header.shape.begin(), header.shape.end(), 0) != header.shape.end();
  if (!fits || (!empty && bytes > file.size_bound()))
    file.fail("cut short: the header says " + to_string(header.shape) + " elements of " + std::to_string(element_size) +
              " byte" + (element_size > 1 ? "s" : "") + ", more than the file can hold");
  if (!empty) file.check_limit(bytes);
}

/// Reads `count` elements of type `From` into `target`.
template <class From, class To>
void read_elements(InputFile& file, To* target, std::size_t count, const Shape& shape) {
  using Bits =
      std::conditional_t<sizeof(From) == 1, std::uint8_t,
                         std::conditional_t<sizeof(From) == 2, std::uint16_t,
                                            std::conditional_t<sizeof(From) == 4, std::uint32_t, std::uint64_t>>>;
  std::vector<unsigned char> chunk(std::size_t{1} << 16);
  const std::size_t per_chunk = chunk.size() / sizeof(From);
  for (std::size_t done = 0; done < count;) {
    const std::size_t wanted = std::min(per_chunk, count - done);
    const std::size_t got = file.read(chunk.data(), wanted * sizeof(From)) / sizeof(From);
    if (got < wanted)
      file.fail("cut short: the header says " + to_string(shape) + ", " + std::to_string(count) +
                " elements, and the file holds " + std::to_string(done + got));
    for (std::size_t i = 0; i < got; ++i)
      target[done + i] = static_cast<To>(std::bit_cast<From>(big_endian<Bits>(chunk.data() + i * sizeof(From))));
    done += got;
  }
}

}  // namespace

Tensor read_idx(const std::filesystem::path& path, std::optional<DType> dtype, std::uint64_t max_decompressed) {
  if (dtype == DType::bool_)
    throw std::invalid_argument("read_idx: no values to read as bool; ask for int64 and compare");
  InputFile file(function, path, max_decompressed);
  const Header header = read_header(file);
  return dispatch_type(file, header.type, [&]<class From>(From) {
    constexpr DType own = std::is_same_v<From, double>  ? DType::float64
                          : std::is_same_v<From, float> ? DType::float32
                                                        : DType::int64;
    const DType wanted = dtype.value_or(own);
    if (is_floating(own) && wanted == DType::int64)
      throw std::invalid_argument(file.place() + ": holds " + std::string(name_of(own)) +
                                  ", which int64 cannot; ask for float64");
    check_size(file, header, sizeof(From));
    Tensor values = xgrad::detail::make_leaf(header.shape, wanted, [&](void* target) {
      const auto count = static_cast<std::size_t>(size_of(header.shape));
      if (wanted == DType::int64) read_elements<From>(file, static_cast<std::int64_t*>(target), count, header.shape);
      else if (wanted == DType::float32) read_elements<From>(file, static_cast<float*>(target), count, header.shape);
      else read_elements<From>(file, static_cast<double*>(target), count, header.shape);
    });
    // The end of a gzipped file is reached only where it is whole.
    char beyond = 0;
    if (file.read(&beyond, 1) != 0)
      file.fail("bytes follow the " + to_string(header.shape) + " elements of the header");
    return values;
  });
}

}  // namespace xgrad::nn
