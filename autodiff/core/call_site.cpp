#include <autodiff/core/call_site.hpp>
#include <string_view>

namespace xgrad::detail {

void CallSite::unlink() const noexcept {
  for (const CallSite* site = innermost_; site; site = site->around_) {
    if (site->around_ != this) continue;
    site->around_ = around_;
    return;
  }
}

void CallSite::become_innermost() const noexcept {
  if (around_ == this || innermost_ == this) return;
  unlink();
  around_ = innermost_;
  innermost_ = this;
}

bool is_source_of(std::string_view folder, std::string_view file) {
  static constexpr std::string_view here = __FILE__, name = "autodiff/core/call_site.cpp";
  static_assert(here.ends_with(name));
  static constexpr std::string_view root = here.substr(0, here.size() - name.size());
  return file.starts_with(root) && file.substr(root.size()).starts_with(folder);
}

std::string line_of(const std::source_location& where) { return std::string(where.file_name()) + ":" + std::to_string(where.line()); }

std::string called_at() {
  for (const CallSite* call = CallSite::innermost(); call; call = call->around()) {
    const std::string_view file = call->where().file_name();
    if (!is_source_of("autodiff/", file) && !is_source_of("nn/", file)) return " (" + line_of(call->where()) + ")";
  }
  return {};
}

}  // namespace xgrad::detail
