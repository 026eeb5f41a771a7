#include "ui/views/coverage_data.h"

#include <algorithm>
#include <cmath>
#include <map>
#include <numeric>

#include <QtConcurrent>

namespace tandem::ui {
namespace {

constexpr int kEveryKUpTo = 64;
constexpr int kValuesPerDoubling = 16;  // of k, beyond that
constexpr int kSecondsValues = 120;
constexpr qint64 kShortestPauseMs = 1000;
constexpr qint64 kPausePerWork = 10;  // while a run goes on, statistics take at most a tenth of one core

std::vector<std::int64_t> completionGrid(std::int64_t n, std::optional<int> typed) {
  std::vector<std::int64_t> grid;
  for (std::int64_t k = 1; k <= std::min<std::int64_t>(n, kEveryKUpTo); ++k) grid.push_back(k);
  const double ratio = std::pow(2.0, 1.0 / kValuesPerDoubling);
  for (double k = kEveryKUpTo * ratio; k < static_cast<double>(n); k *= ratio)
    grid.push_back(std::llround(k));
  grid.push_back(n);
  if (typed && *typed >= 1 && *typed <= n) grid.push_back(*typed);
  std::sort(grid.begin(), grid.end());
  grid.erase(std::unique(grid.begin(), grid.end()), grid.end());
  return grid;
}

std::vector<double> secondsGrid(double first, double last, std::optional<double> typed) {
  if (last <= first) return {first};
  std::vector<double> grid;
  for (int i = 0; i < kSecondsValues; ++i)
    grid.push_back(first * std::pow(last / first, static_cast<double>(i) / (kSecondsValues - 1)));
  if (typed && *typed > first && *typed < last)
    grid.insert(std::lower_bound(grid.begin(), grid.end(), *typed), *typed);
  return grid;
}

QString percent(double share) {
  return QString::number(100 * share, 'f', 0) + QStringLiteral(" %");
}

/// Problems from easy to hard by the mean of the first teacher's and the first student's pass@1.
std::vector<CoverageData::Item> listProblems(const CoverageData& data,
                                             const std::vector<tandem::SessionProblem>& problems) {
  std::map<std::int64_t, const tandem::SessionProblem*> byId;
  for (const auto& problem : problems) byId[problem.id] = &problem;
  const int teacher = data.runOf(Side::Teacher);
  const int student = data.runOf(Side::Student);
  const auto value = [&](int run, std::size_t i) {
    return run < 0 ? 0.0 : data.report.runs[static_cast<std::size_t>(run)].pass_at_1[i];
  };
  std::vector<std::size_t> order(data.report.problem_ids.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  std::stable_sort(order.begin(), order.end(), [&](std::size_t a, std::size_t b) {
    return value(teacher, a) + value(student, a) > value(teacher, b) + value(student, b);
  });

  std::vector<CoverageData::Item> items;
  for (const std::size_t i : order) {
    const auto found = byId.find(data.report.problem_ids[i]);
    if (found == byId.end()) continue;
    const tandem::SessionProblem& problem = *found->second;
    const double t = value(teacher, i);
    const double s = value(student, i);
    OutcomeCell cell;
    cell.solved = t > 0 ? (s > 0 ? OutcomeCell::Solved::Both : OutcomeCell::Solved::TeacherOnly)
                        : (s > 0 ? OutcomeCell::Solved::StudentOnly : OutcomeCell::Solved::None);
    cell.tip = QStringLiteral("<p><b>%1</b></p><p>%2</p><p>%3</p>")
                   .arg(QString::fromStdString(problem.problem.id).toHtmlEscaped(),
                        QString::fromStdString(problem.problem.question).toHtmlEscaped(),
                        CoverageLoader::tr("Right completions: Teacher %1, Student %2")
                            .arg(teacher < 0 ? QStringLiteral("–") : percent(t),
                                 student < 0 ? QStringLiteral("–") : percent(s)));
    items.push_back({problem.id, cell});
  }
  return items;
}

tandem::Result<CoverageData> load(const tandem::Session& session, const CoverageGrid& grid) {
  CoverageData data;
  tandem::CoverageOptions options;
  options.draws = 1;  // a first look: how many completions there are, and how long they took
  TANDEM_TRY(const tandem::CoverageReport sizes, tandem::coverage_report(session, options));
  std::int64_t n = sizes.runs.front().n;
  for (const auto& run : sizes.runs) n = std::min(n, run.n);
  options = {};
  options.k = completionGrid(n, grid.k);
  options.seconds = secondsGrid(sizes.seconds.front(), sizes.seconds.back(), grid.seconds);
  TANDEM_TRY(data.report, tandem::coverage_report(session, options));
  TANDEM_TRY(const auto problems, session.problems());
  TANDEM_TRY(const auto runs, session.runs());
  for (const auto& run : runs) {
    data.device = QString::fromStdString(run.device);
    data.together = data.together || run.settings.mode == "together";
  }
  data.items = listProblems(data, problems);
  return data;
}

}  // namespace

int CoverageData::runOf(Side wanted) const {
  for (std::size_t i = 0; i < report.runs.size(); ++i)
    if (side(report.runs[i]) == wanted) return static_cast<int>(i);
  return -1;
}

QString CoverageData::runLabel(std::size_t run) const {
  const auto& runs = report.runs;
  const Side wanted = side(runs[run]);
  const auto alike =
      std::count_if(runs.begin(), runs.end(), [&](const auto& other) { return side(other) == wanted; });
  if (alike > 1) return QString::fromStdString(runs[run].model);
  return wanted == Side::Teacher ? CoverageLoader::tr("Teacher") : CoverageLoader::tr("Student");
}

CoverageData loadCoverage(const tandem::Session& session, const CoverageGrid& grid) {
  auto data = load(session, grid);
  if (data) return *std::move(data);
  CoverageData failed;
  failed.error = QString::fromStdString(data.error().message);
  return failed;
}

double completionsBy(const tandem::CoverageReport& report, std::size_t run, double seconds) {
  const auto after = std::upper_bound(report.seconds.begin(), report.seconds.end(), seconds);
  if (after == report.seconds.begin()) return 0;
  return report.runs[run].median_finished_t[static_cast<std::size_t>(after - report.seconds.begin()) - 1];
}

std::optional<double> secondsFor(const tandem::CoverageReport& report, std::size_t run, double k) {
  const auto& finished = report.runs[run].median_finished_t;
  const auto reached =
      std::find_if(finished.begin(), finished.end(), [&](double value) { return value >= k; });
  if (reached == finished.end()) return std::nullopt;
  return report.seconds[static_cast<std::size_t>(reached - finished.begin())];
}

std::size_t nearestIndex(const std::vector<double>& grid, double value) {
  const auto above = std::lower_bound(grid.begin(), grid.end(), value);
  if (above == grid.begin()) return 0;
  const auto index = static_cast<std::size_t>(above - grid.begin());
  if (above == grid.end()) return index - 1;
  return *above / value < value / grid[index - 1] ? index : index - 1;
}

CoverageLoader::CoverageLoader(QObject* parent) : QObject(parent) {
  m_pause.setSingleShot(true);
  connect(&m_pause, &QTimer::timeout, this, &CoverageLoader::start);
  connect(&m_watcher, &QFutureWatcherBase::finished, this, &CoverageLoader::finished);
}

CoverageLoader::~CoverageLoader() {
  m_watcher.waitForFinished();
}

void CoverageLoader::request(std::shared_ptr<const tandem::Session> session, const CoverageGrid& grid,
                             bool paced) {
  m_wanted = Request{std::move(session), grid, paced};
  start();
}

void CoverageLoader::cancel() {
  m_wanted.reset();
  m_discard = m_computing;
  m_pause.stop();
}

void CoverageLoader::start() {
  if (!m_wanted || m_computing || (m_wanted->paced && m_pause.isActive())) return;
  m_computing = true;
  m_watcher.setFuture(QtConcurrent::run([request = *std::exchange(m_wanted, std::nullopt)] {
    return std::shared_ptr<const CoverageData>(
        std::make_shared<CoverageData>(loadCoverage(*request.session, request.grid)));
  }));
  m_started.start();
}

void CoverageLoader::finished() {
  const qint64 work = m_started.elapsed();
  m_pause.start(static_cast<int>(std::max(kShortestPauseMs - work, kPausePerWork * work)));
  m_computing = false;
  const bool discard = std::exchange(m_discard, false);
  if (!discard) emit loaded(m_watcher.result());
  start();
}

}  // namespace tandem::ui
