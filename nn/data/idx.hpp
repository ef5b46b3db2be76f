#pragma once

#include <autodiff/core/tensor.hpp>
#include <cstdint>
#include <filesystem>
#include <optional>

namespace xgrad::nn {

/// What a gzipped file may grow to unless a reader is told otherwise, in bytes: 1 GiB. Plain files have no limit.
inline constexpr std::uint64_t default_max_decompressed = std::uint64_t{1} << 30;

/// The array in an IDX file, the format of MNIST and its kin, gzipped or plain: two zero bytes, a type code (unsigned
/// byte 8, signed byte 9, int16 11, int32 12, float 13, double 14), the number of axes, each extent as a big-endian
/// 32-bit number, then the elements, big-endian and row-major (LeCun, Cortes, Burges: "The MNIST database").
///
/// Elements become int64 when they are integers in the file, else float32 or float64; `dtype` asks for another type,
/// without a second copy. Nothing is scaled: images of bytes hold 0 … 255.
/// A gzipped file may hold several members, must be whole down to its checksum, may be followed by zero bytes and
/// nothing else, and may grow to `max_decompressed` bytes.
/// Throws std::runtime_error, naming the file and what is wrong with it, when it is missing, damaged, no IDX file,
/// shorter or longer than its header says, or grows beyond the limit; std::invalid_argument for `dtype` bool, and for
/// int64 of a floating file.
Tensor read_idx(const std::filesystem::path& path, std::optional<DType> dtype = {},
                std::uint64_t max_decompressed = default_max_decompressed);

}  // namespace xgrad::nn
