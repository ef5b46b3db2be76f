// What a program says of a command line that it does not understand.
#pragma once

#include <CLI/CLI.hpp>
#include <algorithm>
#include <string>
#include <vector>

namespace command_line {

/// How many letters have to be changed, put in or left out to make one word of another.
inline std::size_t distance(const std::string& a, const std::string& b) {
  std::vector<std::size_t> row(b.size() + 1);
  for (std::size_t j = 0; j <= b.size(); ++j) row[j] = j;
  for (std::size_t i = 1; i <= a.size(); ++i) {
    std::size_t diagonal = row[0];
    row[0] = i;
    for (std::size_t j = 1; j <= b.size(); ++j) {
      const std::size_t changed = diagonal + (a[i - 1] == b[j - 1] ? 0 : 1);
      diagonal = row[j];
      row[j] = std::min({changed, row[j - 1] + 1, row[j] + 1});
    }
  }
  return row.back();
}

/// "; did you mean --epochs?" where an option that was given is nearly one of the program's.
inline std::string suggestion(const CLI::App& app) {
  for (const std::string& given : app.remaining()) {
    if (given.rfind("--", 0) != 0) continue;
    const std::string word = given.substr(2, given.find('=') - 2);
    std::string nearest;
    std::size_t least = word.size() / 3 + 2;
    for (const CLI::Option* option : app.get_options())
      for (const std::string& name : option->get_lnames()) {
        const bool begun = word.size() >= 3 && name.rfind(word, 0) == 0;
        if (const std::size_t letters = begun ? 1 : distance(word, name); letters < least) least = letters, nearest = name;
      }
    if (!nearest.empty()) return "; did you mean --" + nearest + "?";
  }
  return {};
}

/// What CLI11 says, and the option that may have been meant: for `CLI::App::failure_message`.
inline std::string failure_message(const CLI::App* app, const CLI::Error& error) {
  return app->get_name() + ": " + error.what() + suggestion(*app) + "\nSee --help.\n";
}

}  // namespace command_line
