#include "report.hpp"

#include <chrono>
#include <ctime>
#include <fstream>
#include <iomanip>
#include <iostream>
#include <nlohmann/json.hpp>
#include <sstream>
#include <stdexcept>

namespace bench {
namespace {

std::string time_text(double seconds) {
  std::ostringstream text;
  text << std::setprecision(3);
  if (seconds == 0) text << "-";
  else if (seconds < 1e-6) text << seconds * 1e9 << " ns";
  else if (seconds < 1e-3) text << seconds * 1e6 << " us";
  else text << seconds * 1e3 << " ms";
  return text.str();
}
std::string ratio_text(double ratio, double bar, bool at_most, bool met) {
  std::ostringstream text;
  text << std::fixed << std::setprecision(2);
  if (ratio == 0) return "-";
  text << ratio;
  if (bar > 0) text << (at_most ? " (<=" : " (>=") << std::setprecision(bar < 10 ? 2 : 0) << bar << (met ? " ok)" : " MISS)");
  return text.str();
}
double time_of(const Figures& figures, const std::string& way) { return figures.seconds.contains(way) ? figures.seconds.at(way) : 0; }

std::ofstream open(const std::string& path) {
  std::ofstream file(path);
  if (!file) throw std::runtime_error("cannot write " + path);
  return file;
}

std::string processor() {
  std::ifstream file("/proc/cpuinfo");
  for (std::string line; std::getline(file, line);)
    if (line.starts_with("model name")) return line.substr(line.find(':') + 2);
  return {};
}

}  // namespace

void print_header(std::ostream& stream) {
  stream << std::left << std::setw(50) << "workload" << std::setw(9) << "a" << std::right << std::setw(10) << "xgrad" << std::setw(10)
         << "libtorch" << std::setw(10) << "floor" << std::setw(22) << "times the floor" << std::setw(24) << "faster than libtorch" << '\n';
}

void print_row(std::ostream& stream, const Figures& figures) {
  const Workload& workload = figures.workload;
  stream << std::left << std::setw(50) << workload.name << std::setw(9) << workload.unit << std::right << std::setw(10)
         << time_text(time_of(figures, "xgrad")) << std::setw(10) << time_text(time_of(figures, "libtorch")) << std::setw(10)
         << time_text(time_of(figures, "floor")) << std::setw(22)
         << ratio_text(figures.over_floor(), workload.floor_bar, true, figures.meets_floor()) << std::setw(24)
         << ratio_text(figures.over_torch(), workload.torch_bar, false, figures.meets_torch());
  if (figures.p50 > 0) stream << "  p50 " << time_text(figures.p50) << ", p99 " << time_text(figures.p99);
  if (figures.peak_over_needed > 0) stream << "  peak memory " << std::setprecision(3) << figures.peak_over_needed << " times what is needed";
  if (figures.speedup > 0) stream << "  speedup " << std::setprecision(3) << figures.speedup;
  stream << std::endl;
}

void write_json(const std::string& path, const Machine& machine, const std::vector<Figures>& all) {
  const std::time_t now = std::chrono::system_clock::to_time_t(std::chrono::system_clock::now());
  std::ostringstream date;
  date << std::put_time(std::gmtime(&now), "%Y-%m-%dT%H:%M:%SZ");
  nlohmann::ordered_json json{{"date", date.str()}, {"processor", processor()}, {"threads", machine.threads},
                              {"libtorch", machine.torch}, {"openblas_core", machine.blas_core}, {"flags", machine.flags}};
  for (const Figures& figures : all) {
    nlohmann::ordered_json entry{{"workload", figures.workload.name}, {"unit", figures.workload.unit}, {"seconds", figures.seconds}};
    if (figures.over_floor() > 0) entry["times_the_floor"] = figures.over_floor();
    if (figures.over_torch() > 0) entry["times_faster_than_libtorch"] = figures.over_torch();
    if (figures.workload.floor_bar > 0) entry["floor_bar"] = figures.workload.floor_bar;
    if (figures.workload.torch_bar > 0) entry["libtorch_bar"] = figures.workload.torch_bar;
    if (figures.p50 > 0) entry["p50"] = figures.p50, entry["p99"] = figures.p99;
    if (figures.peak_over_needed > 0) entry["peak_memory_over_needed"] = figures.peak_over_needed;
    if (figures.speedup > 0) entry["speedup"] = figures.speedup;
    json["workloads"].push_back(entry);
  }
  std::ofstream file = open(path);
  file << json.dump(2) << '\n';
  if (!file.flush()) throw std::runtime_error("cannot write " + path);
}

void write_svg(const std::string& path, const std::vector<Figures>& all) {
  // Bars of time over xgrad's, on a logarithmic scale from 1/10 to 100.
  constexpr double left = 300, scale = 180, row = 46, top = 60;
  const double height = top + row * static_cast<double>(all.size()) + 40;
  const auto at = [](double ratio) { return left + scale * (1 + std::log10(std::min(std::max(ratio, 0.1), 100.0))); };
  std::ofstream file = open(path);
  file << "<svg xmlns='http://www.w3.org/2000/svg' width='900' height='" << height << "' font-family='sans-serif' font-size='13'>\n"
       << "<rect width='100%' height='100%' fill='white'/>\n"
       << "<text x='20' y='28' font-size='16'>Time over xgrad's: what reaches to the right is slower, to the left faster</text>\n";
  for (const double mark : {0.1, 1.0, 10.0, 100.0})
    file << "<line x1='" << at(mark) << "' x2='" << at(mark) << "' y1='" << top - 10 << "' y2='" << height - 30 << "' stroke='"
         << (mark == 1 ? "black" : "#ccc") << "'/><text x='" << at(mark) << "' y='" << height - 12 << "' text-anchor='middle'>" << mark
         << "</text>\n";
  for (std::size_t i = 0; i < all.size(); ++i) {
    const double y = top + row * static_cast<double>(i);
    file << "<text x='" << left - 10 + scale * 0 << "' y='" << y + 20 << "' text-anchor='end'>" << all[i].workload.name << "</text>\n";
    double offset = 2;
    for (const auto& [way, colour] : {std::pair{"libtorch", "#d1643c"}, std::pair{"floor", "#4a7a4a"}}) {
      if (!all[i].over_xgrad.contains(way)) continue;
      const double ratio = all[i].over_xgrad.at(way), end = at(ratio);
      file << "<rect x='" << std::min(end, at(1)) << "' y='" << y + offset << "' width='" << std::abs(end - at(1)) << "' height='14' fill='"
           << colour << "'/><text x='" << std::max(end, at(1)) + 4 << "' y='" << y + offset + 12 << "' font-size='11'>" << way << ' '
           << std::setprecision(3) << ratio << "</text>\n";
      offset += 18;
    }
  }
  file << "</svg>\n";
  if (!file.flush()) throw std::runtime_error("cannot write " + path);
}

}  // namespace bench
