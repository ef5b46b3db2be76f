#include <algorithm>
#include <nn/data/csv_rows.hpp>

namespace xgrad::nn::detail {

bool CsvRows::next_row() {
  while (at_ < text_.size() && at_line_end()) skip_line_end();
  row_line_ = line_;
  return in_row_ = at_ < text_.size();
}

bool CsvRows::next_field(std::string_view& field) {
  if (!in_row_) return false;
  if (at_ < text_.size() && text_[at_] == '"') {
    field = quoted_field();
  } else {
    const char ends[] = {delimiter_, '\n', '\r'};
    const std::size_t end = std::min(text_.size(), text_.find_first_of(std::string_view(ends, 3), at_));
    field = text_.substr(at_, end - at_);
    at_ = end;
  }
  in_row_ = at_ < text_.size() && text_[at_] == delimiter_;
  if (in_row_) ++at_;
  else if (at_ < text_.size()) skip_line_end();
  return true;
}

void CsvRows::skip_line_end() {
  at_ += text_.substr(at_).starts_with("\r\n") ? 2 : 1;
  ++line_;
}

std::string_view CsvRows::quoted_field() {
  const std::size_t opened = line_;
  unquoted_.clear();
  for (++at_;; ++at_) {
    if (at_ >= text_.size()) file_.fail("line " + std::to_string(opened) + ": a quote is opened and not closed");
    if (text_[at_] == '"') {
      if (at_ + 1 >= text_.size() || text_[at_ + 1] != '"') break;
      ++at_;
    }
    if (text_[at_] == '\n' || (text_[at_] == '\r' && text_.substr(at_ + 1, 1) != "\n")) ++line_;
    unquoted_ += text_[at_];
  }
  ++at_;
  if (at_ < text_.size() && text_[at_] != delimiter_ && !at_line_end())
    file_.fail("line " + std::to_string(line_) + ": text follows a closing quote");
  return unquoted_;
}

}  // namespace xgrad::nn::detail
