// What the readers of files quote in their messages.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace xgrad::nn::detail {

/// `text`, which comes from outside, in a form fit for a message: on one line and of at most `max_bytes` and a note of
/// what was left out. Control characters become question marks; UTF-8 is cut between characters.
std::string excerpt(std::string_view text, std::size_t max_bytes = 80);

}  // namespace xgrad::nn::detail
