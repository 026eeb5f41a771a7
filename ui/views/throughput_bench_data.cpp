#include "ui/views/throughput_bench_data.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <set>

#include <QDateTime>

#include "ui/format.h"

namespace tandem::ui {
namespace {

constexpr double kUndisturbed = 0.93;  // share of the processor from which a measurement counts as alone

const QString kPrivate = QStringLiteral("private prefix");
const QString kShared = QStringLiteral("shared prefix");
const QString kReplayed = QStringLiteral("replayed state writes");

bool isTeacher(const tandem::BenchBar& bar) {
  return bar.variant == kPrivate.toStdString() || bar.variant == kShared.toStdString();
}

QString percent(double share) {
  return QString::number(100 * share, 'f', 0) + QStringLiteral(" %");
}

/// What the table shows of a bar, in its column order after model, variant and batch.
struct Column {
  QString header, fileHeader;
  std::function<QString(const tandem::BenchBar&)> text;
  std::function<QString(const tandem::BenchBar&)> file;
};

QString number(double value, int decimals = 6) {
  return QString::number(value, 'g', decimals);
}

const tandem::BenchFit* fitOf(const tandem::BenchReport& report, const tandem::BenchBar& bar) {
  const auto fit = std::find_if(report.fits.begin(), report.fits.end(), [&](const tandem::BenchFit& f) {
    return f.model == bar.model && f.variant == bar.variant;
  });
  return fit == report.fits.end() ? nullptr : &*fit;
}

/// What is known of a bar whether it was run or not: the memory that was planned, and how many would fit.
QVector<Column> plannedColumns(const tandem::BenchReport& report) {
  using Bar = tandem::BenchBar;
  const auto planned = [](const Bar& b) { return b.memory_bytes > 0; };
  const auto fits = [&report](const Bar& b) {
    const tandem::BenchFit* fit = fitOf(report, b);
    return fit != nullptr && fit->free_bytes > 0 ? QString::number(fit->largest_batch) : QString();
  };
  const auto orDash = [](const QString& text) { return text.isEmpty() ? QStringLiteral("–") : text; };
  return {
      {Plot::tr("Memory"), QStringLiteral("memory, planned (bytes)"),
       [=](const Bar& b) {
         return orDash(planned(b) ? formatBytes(static_cast<double>(b.memory_bytes)) : QString());
       },
       [=](const Bar& b) { return planned(b) ? QString::number(b.memory_bytes) : QString(); }},
      {Plot::tr("Fits up to"), QStringLiteral("largest batch that fits"),
       [=](const Bar& b) { return orDash(fits(b)); }, fits},
  };
}

QVector<Column> columns(std::int64_t promptTokens) {
  using Bar = tandem::BenchBar;
  const auto prefill = [promptTokens](const Bar& bar) {
    return static_cast<double>(promptTokens) / bar.prefill_s;
  };
  const auto rate = [](double value) { return QString::number(value, 'f', value < 100 ? 1 : 0); };
  return {
      {Plot::tr("Prefill tok/s"), QStringLiteral("prefill (tokens/s)"),
       [=](const Bar& b) { return rate(prefill(b)); }, [=](const Bar& b) { return number(prefill(b)); }},
      {Plot::tr("Decode tok/s"), QStringLiteral("decode, median (tokens/s)"),
       [=](const Bar& b) { return rate(b.tokens_per_s); },
       [](const Bar& b) { return number(b.tokens_per_s); }},
      {Plot::tr("Range"), QStringLiteral("decode, least and most (tokens/s)"),
       [=](const Bar& b) {
         return QStringLiteral("%1–%2").arg(rate(b.tokens_per_s_min), rate(b.tokens_per_s_max));
       },
       [](const Bar& b) {
         return number(b.tokens_per_s_min) + QLatin1Char(' ') + number(b.tokens_per_s_max);
       }},
      {Plot::tr("First token"), QStringLiteral("first token (s)"),
       [](const Bar& b) { return formatSeconds(b.first_token_s); },
       [](const Bar& b) { return number(b.first_token_s); }},
      {Plot::tr("Step p50"), QStringLiteral("step p50 (s)"),
       [](const Bar& b) { return formatSeconds(b.step_p50_s); },
       [](const Bar& b) { return number(b.step_p50_s); }},
      {Plot::tr("Step p95"), QStringLiteral("step p95 (s)"),
       [](const Bar& b) { return formatSeconds(b.step_p95_s); },
       [](const Bar& b) { return number(b.step_p95_s); }},
      {Plot::tr("Processor"), QStringLiteral("share of the processor"),
       [](const Bar& b) { return b.processor_share > 0 ? percent(b.processor_share) : QStringLiteral("–"); },
       [](const Bar& b) { return b.processor_share > 0 ? number(b.processor_share) : QString(); }},
      {Plot::tr("Of roofline"), QStringLiteral("share of roofline"),
       [](const Bar& b) { return percent(b.roofline_share); },
       [](const Bar& b) { return number(b.roofline_share); }},
      {Plot::tr("Bound by"), QStringLiteral("bound"),
       [](const Bar& b) { return QString::fromStdString(b.bound); },
       [](const Bar& b) { return QString::fromStdString(b.bound); }},
      {Plot::tr("Weights"), QStringLiteral("weights (bytes)"),
       [](const Bar& b) { return formatBytes(static_cast<double>(b.weight_bytes)); },
       [](const Bar& b) { return QString::number(b.weight_bytes); }},
      {Plot::tr("KV or state"), QStringLiteral("KV or state (bytes)"),
       [](const Bar& b) { return formatBytes(static_cast<double>(b.cache_bytes)); },
       [](const Bar& b) { return QString::number(b.cache_bytes); }},
  };
}

}  // namespace

QPen BenchStyle::pen() const {
  QPen pen = Plot::sidePen(static_cast<int>(side), isMain());
  if (privatePrefix) pen.setStyle(Qt::DotLine);
  if (replayed) pen.setStyle(Qt::DashLine);
  return pen;
}

QCPScatterStyle BenchStyle::mark() const {
  using Shape = QCPScatterStyle::ScatterShape;
  constexpr std::array<Shape, 2> kTeachers = {QCPScatterStyle::ssCircle, QCPScatterStyle::ssSquare};
  constexpr std::array<Shape, 4> kStudents = {QCPScatterStyle::ssTriangle, QCPScatterStyle::ssDiamond,
                                              QCPScatterStyle::ssTriangleInverted, QCPScatterStyle::ssStar};
  const auto index = static_cast<std::size_t>(model);
  const Shape shape =
      side == Side::Teacher ? kTeachers[index % kTeachers.size()] : kStudents[index % kStudents.size()];
  const Colors& colors = Theme::instance().colors();
  const QColor color = colors.side(side);
  return {shape, QPen(color, 1.5), QBrush(isMain() ? color : colors.background), 8.0};
}

Side benchSide(const tandem::BenchReport& report, const std::string& model) {
  return std::any_of(report.bars.begin(), report.bars.end(),
                     [&](const auto& bar) { return bar.model == model && isTeacher(bar); })
             ? Side::Teacher
             : Side::Student;
}

QVector<BenchSeries> benchSeries(const tandem::BenchReport& report) {
  std::array<std::vector<std::string>, 2> models;  // of each side
  for (const tandem::BenchBar& bar : report.bars) {
    auto& names = models[isTeacher(bar) ? 0 : 1];
    if (std::find(names.begin(), names.end(), bar.model) == names.end()) names.push_back(bar.model);
  }
  const bool several = models[0].size() > 1 || models[1].size() > 1;
  const auto style = [&](const tandem::BenchBar& bar) {
    BenchStyle result;
    const QString variant = QString::fromStdString(bar.variant);
    result.side = isTeacher(bar) ? Side::Teacher : Side::Student;
    const auto& names = models[static_cast<std::size_t>(result.side)];
    result.model = static_cast<int>(std::find(names.begin(), names.end(), bar.model) - names.begin());
    result.privatePrefix = variant == kPrivate;
    result.replayed = variant.endsWith(kReplayed);
    result.label = QStringLiteral("%1, %2").arg(
        several ? QString::fromStdString(bar.model) : sideName(result.side), variant);
    return result;
  };
  QVector<BenchSeries> all;
  for (const tandem::BenchBar& bar : report.bars) {
    const bool continues = !all.isEmpty() && all.last().bars.last()->model == bar.model &&
                           all.last().bars.last()->variant == bar.variant;
    if (!continues) all << BenchSeries{style(bar), {}};
    all.last().bars << &bar;
  }
  return all;
}

QString benchOrigin(const tandem::BenchReport& report) {
  const auto date = QDateTime::fromString(QString::fromStdString(report.date_utc), Qt::ISODate);
  return Plot::tr("%1 UTC on %2: prompt %3, %4 tokens timed, %5 repeats%6")
      .arg(date.toString(QStringLiteral("yyyy-MM-dd hh:mm")), QString::fromStdString(report.device))
      .arg(report.options.prompt_tokens)
      .arg(report.options.generated_tokens)
      .arg(report.options.repeats)
      .arg(report.complete ? QString() : Plot::tr(", stopped early"));
}

QString benchTypes(const tandem::BenchReport& report) {
  if (report.fits.empty()) return {};
  const auto name = [](tandem::DType type) {
    return QString::fromLatin1(tandem::dtype_name(type)).toLower();
  };
  QStringList sentences = {Plot::tr("Weights in %1, caches in %2, states in %3.")
                               .arg(QString::fromStdString(report.fits.front().weights),
                                    name(report.options.storage.caches),
                                    name(report.options.storage.states))};
  QStringList random;
  for (const tandem::BenchFit& fit : report.fits)
    if (fit.random_weights) random << QString::fromStdString(fit.model);
  random.removeDuplicates();
  if (!random.isEmpty())
    sentences << Plot::tr("Random weights in the shape of: %1.").arg(random.join(QStringLiteral(", ")));
  return sentences.join(QStringLiteral("  "));
}

QString benchDisturbance(const tandem::BenchReport& report) {
  double least = 1;
  for (const tandem::BenchBar& bar : report.bars)
    if (bar.skipped.empty() && bar.processor_share > 0) least = std::min(least, bar.processor_share);
  if (least > kUndisturbed) return {};
  return Plot::tr("Other programs held the processor for up to %1 of the time: these rates are too low.")
      .arg(percent(1 - least));
}

PlotTable benchTable(const tandem::BenchReport& report, bool forFiles) {
  PlotTable table;
  const QVector<Column> shown = columns(report.options.prompt_tokens);
  table.headers =
      forFiles ? QStringList{QStringLiteral("model"), QStringLiteral("variant"), QStringLiteral("batch")}
               : QStringList{Plot::tr("Model"), Plot::tr("Variant"), Plot::tr("Batch")};
  const QVector<Column> planned = plannedColumns(report);
  for (const Column& column : shown + planned)
    table.headers << (forFiles ? column.fileHeader : column.header);
  if (forFiles) table.headers << QStringLiteral("not run because");
  for (const tandem::BenchBar& bar : report.bars) {
    QStringList row{QString::fromStdString(bar.model), QString::fromStdString(bar.variant),
                    QString::number(bar.batch)};
    const bool measured = bar.skipped.empty();
    for (const Column& column : shown)
      row << (!measured  ? (forFiles ? QString() : QStringLiteral("–"))
              : forFiles ? column.file(bar)
                         : column.text(bar));
    for (const Column& column : planned) row << (forFiles ? column.file(bar) : column.text(bar));
    if (forFiles) row << QString::fromStdString(bar.skipped);
    table.rows << row;
  }
  return table;
}

QString ratioText(const tandem::BenchReport& report, int batch) {
  std::set<std::string> models;
  for (const tandem::BenchBar& bar : report.bars) models.insert(bar.model);
  const bool several = models.size() > 2;
  const tandem::BenchBar* teacher = nullptr;  // the last one before a student
  QStringList lines;
  for (const BenchSeries& series : benchSeries(report)) {
    const auto found = std::find_if(series.bars.begin(), series.bars.end(),
                                    [&](const tandem::BenchBar* bar) { return bar->batch == batch; });
    const tandem::BenchBar* bar = found != series.bars.end() && (*found)->skipped.empty() ? *found : nullptr;
    if (series.style.side == Side::Teacher) {
      if (!series.style.privatePrefix) teacher = bar;
      continue;
    }
    if (teacher == nullptr || bar == nullptr) continue;
    const auto name = [&](const tandem::BenchBar* of, Side side) {
      return several ? QString::fromStdString(of->model) : sideName(side);
    };
    const QString replayed = series.style.replayed ? Plot::tr(", replayed state writes,") : QString();
    lines << Plot::tr(
                 "Batch %1: %2%3 ÷ %4 = %5 (%6 ÷ %7, shared prefix). "
                 "Share of its own roofline: %2 %8, %4 %9.")
                 .arg(batch)
                 .arg(name(bar, Side::Student), replayed, name(teacher, Side::Teacher))
                 .arg(bar->tokens_per_s / teacher->tokens_per_s, 0, 'f', 2)
                 .arg(formatRate(bar->tokens_per_s), formatRate(teacher->tokens_per_s),
                      percent(bar->roofline_share), percent(teacher->roofline_share));
  }
  if (!lines.isEmpty()) return lines.join(QLatin1Char('\n'));
  return Plot::tr("No ratio at batch %1: a teacher with a shared prefix and a student must both be measured.")
      .arg(batch);
}

}  // namespace tandem::ui
