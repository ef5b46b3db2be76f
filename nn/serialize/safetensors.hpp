#pragma once

#include <filesystem>
#include <map>
#include <nn/module.hpp>

namespace xgrad::nn {

/// Free text a file carries beside its tensors.
using Metadata = std::map<std::string, std::string>;

/// Writes tensors to a file in the safetensors format: dtypes F32, F64, I64 and BOOL, row-major, little-endian.
/// The file is written beside, made durable and renamed: `path` holds the old content or the new, never a part, also
/// when several threads or processes save to it. A file that is replaced hands on its permissions; a symbolic link
/// stays, and the file it names is replaced (other hard links keep the old content). Files `NAME.tmp-PID-N` that killed
/// saves to `path` left behind are removed.
/// Throws std::invalid_argument for a name given twice, not UTF-8, or `__metadata__`; std::logic_error for undefined
/// tensors; std::runtime_error naming the file and the reason when it cannot be written or is no regular file.
void save_safetensors(const std::filesystem::path& path, const NamedTensors& tensors, const Metadata& metadata = {});

/// What a safetensors file holds, in the order of its header.
struct SafetensorsFile {
  NamedTensors tensors;
  Metadata metadata;
};

/// Reads a safetensors file whole, in time and memory proportional to its size. As the reference implementation does, it
/// allows blanks around the header, keys of a tensor beside dtype, shape and data_offsets, which are skipped, and a
/// `__metadata__` that is null. A header may have 100,000,000 bytes and nest 64 levels deep.
/// Throws std::runtime_error naming the file and the reason when it cannot be read, is truncated or too long, when its
/// header is no valid one, has a name twice, or describes tensors that overlap, leave gaps, or do not fit their shapes,
/// and for dtypes other than F32, F64, I64 and BOOL.
SafetensorsFile load_safetensors(const std::filesystem::path& path);

}  // namespace xgrad::nn
