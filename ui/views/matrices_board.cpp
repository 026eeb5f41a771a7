#include "ui/views/matrices_board.h"

#include <algorithm>
#include <cmath>

#include <QBoxLayout>

#include "ui/format.h"
#include "ui/theme.h"
#include "ui/views/matrices_readout.h"

namespace tandem::ui {
namespace {

constexpr int kGap = 8;

QString plotName(MapKind kind) {
  switch (kind) {
    case MapKind::Teacher:
      return QStringLiteral("teacherMap");
    case MapKind::Student:
      return QStringLiteral("studentMap");
    case MapKind::Difference:
      return QStringLiteral("differenceMap");
    case MapKind::Decay:
      return QStringLiteral("decayMap");
    case MapKind::Content:
      return QStringLiteral("contentMap");
  }
  return {};
}

QString plotTitle(MapKind kind, const HeadPair& pair, bool attentionKept) {
  switch (kind) {
    case MapKind::Teacher:
      return MatricesBoard::tr("● Teacher A · L%1 h%2").arg(pair.layer).arg(pair.teacher);
    case MapKind::Student:
      return (attentionKept ? MatricesBoard::tr("▲ Student A, kept · L%1 h%2")
                            : MatricesBoard::tr("▲ Student M = L∘CBᵀ · L%1 h%2"))
          .arg(pair.layer)
          .arg(pair.student);
    case MapKind::Difference:
      return MatricesBoard::tr("Difference M − A");
    case MapKind::Decay:
      return MatricesBoard::tr("Decay L");
    case MapKind::Content:
      return MatricesBoard::tr("Content CBᵀ");
  }
  return {};
}

std::optional<double> valueOf(const CellValues& cell, MapKind kind) {
  const std::array values{cell.teacher, cell.student, cell.difference, cell.decay, cell.content};
  return values[static_cast<std::size_t>(kind)];
}

double largestInRow(TensorView matrix, int query) {
  double largest = 0;
  for (int key = 0; !matrix.empty() && key <= query; ++key)
    largest = std::max(largest, std::abs(static_cast<double>(matrix.row(query)[key])));
  return largest;
}

}  // namespace

MatricesBoard::MatricesBoard(QWidget* parent)
    : QWidget(parent), m_frameTask([this](const std::shared_ptr<HeadFrame>& frame) { showFrame(frame); }) {
  buildPlots();
  auto* column = new QVBoxLayout(this);
  column->setContentsMargins(0, 0, 0, 0);
  column->setSpacing(kGap);
  m_rows = column;
  auto* top = new QHBoxLayout;
  auto* bottom = new QHBoxLayout;
  top->setSpacing(kGap);
  bottom->setSpacing(kGap);
  for (const MapKind kind : {MapKind::Teacher, MapKind::Student, MapKind::Difference})
    top->addWidget(plot(kind), 1);
  for (const MapKind kind : {MapKind::Decay, MapKind::Content}) bottom->addWidget(plot(kind), 1);
  m_profiles = new QWidget(this);
  m_profileLayout = new QBoxLayout(QBoxLayout::TopToBottom, m_profiles);
  m_profileLayout->setContentsMargins(0, 0, 0, 0);
  m_profileLayout->setSpacing(kGap);
  m_row = new RowProfile(m_profiles);
  m_lag = new LagProfile(m_profiles);
  m_profileLayout->addWidget(m_row, 1);
  m_profileLayout->addWidget(m_lag, 1);
  bottom->addWidget(m_profiles, 1);
  m_distances = new QLabel(this);
  m_distances->setObjectName(QStringLiteral("distances"));
  m_distances->setAccessibleName(tr("Distances of this pair of heads"));
  m_distances->setTextFormat(Qt::RichText);
  m_distances->setWordWrap(true);
  column->addWidget(m_distances);
  column->addLayout(top, 1);
  column->addLayout(bottom, 1);
}

void MatricesBoard::buildPlots() {
  for (const MapKind kind : kMapKinds) {
    auto* map = new MatrixPlot(plotName(kind), this);
    m_plots[static_cast<std::size_t>(kind)] = map;
    map->setTitle(plotTitle(kind, {}, false));
    map->setTableSource([this, kind] { return mapTable(kind); });
    map->setTooltipSource([this](int query, int key) {
      return m_request.set ? cellHtml(*m_request.set, cellAt(query, key), cellAt(m_pinQuery, m_pinKey))
                           : QString();
    });
    connect(map, &MatrixPlot::cellHovered, this, &MatricesBoard::cellHovered);
    connect(map, &MatrixPlot::cellClicked, this, &MatricesBoard::cellClicked);
    connect(map, &MatrixPlot::visibleTokensChanged, this, [this, map] { linkZoom(map); });
  }
}

void MatricesBoard::setSet(MatrixSetPtr set) {
  m_frameTask.cancel();
  m_request.set = std::move(set);
  m_request.window = {};
  m_frame.reset();
  m_query = m_key = m_pinQuery = m_pinKey = -1;
  const QStringList tokens = m_request.set ? m_request.set->tokens : QStringList();
  for (MatrixPlot* map : m_plots) {
    map->setTokens(tokens);
    map->setCrosshair(-1, -1, {});
  }
  m_row->setTokens(tokens);
  requestFrame();
}

void MatricesBoard::showPair(const HeadPair& pair) {
  if (pair == m_request.pair && m_frame != nullptr) return;
  m_request.pair = pair;
  requestFrame();
}

void MatricesBoard::setScale(const ScaleSettings& scale, bool includeSkip) {
  m_request.scale = scale;
  m_request.includeSkip = includeSkip;
  requestFrame();
}

void MatricesBoard::setColorMap(const ColorMap& map) {
  for (MatrixPlot* plot : m_plots) plot->setColorMap(map);
}

void MatricesBoard::setMapsShown(bool difference, bool decomposition) {
  plot(MapKind::Difference)->setVisible(difference);
  plot(MapKind::Decay)->setVisible(decomposition);
  plot(MapKind::Content)->setVisible(decomposition);
  // Without the factors the profiles lie side by side in a lower row, and the maps above grow.
  m_profileLayout->setDirection(decomposition ? QBoxLayout::TopToBottom : QBoxLayout::LeftToRight);
  m_rows->setStretch(1, decomposition ? 1 : 5);
  m_rows->setStretch(2, decomposition ? 1 : 2);
}

void MatricesBoard::requestFrame() {
  if (!m_request.set) return;
  m_frameTask.start([request = m_request](std::stop_token stop) {
    return stop.stop_requested() ? nullptr : makeHeadFrame(request);
  });
}

void MatricesBoard::showFrame(const std::shared_ptr<HeadFrame>& frame) {
  m_frame = frame;
  for (const MapKind kind : kMapKinds) {
    plot(kind)->setMap(frame->map(kind));
    decorate(kind);
  }
  m_lag->setProfiles(frame->teacherLags, frame->studentLags);
  showDistances();
  setCell(m_query, m_key);
  refreshRow();
  emit frameShown();
}

/// Title, badges and the sentence of one map.
void MatricesBoard::decorate(MapKind kind) {
  const FrameRequest& request = m_frame->request;
  const MapFrame& map = m_frame->map(kind);
  const LayerMatrices* layer = request.set->student().layer(request.pair.layer);
  const bool kept = layer != nullptr && !is_recurrent(layer->kind);
  const bool raw = kind == MapKind::Teacher || kind == MapKind::Student;
  MatrixPlot* target = plot(kind);
  target->setTitle(plotTitle(kind, request.pair, kept));
  QStringList badges;
  if (target->hasMap() && raw && request.scale.mode == ScaleMode::RowRescaled)
    badges += tr("rescaled, not the raw matrix");
  if (map.pooling > 1) badges += tr("max-pooled %1×%1, zoom in for exact cells").arg(map.pooling);
  if (layer != nullptr && is_channel_mean(layer->kind) && target->hasMap() && kind != MapKind::Teacher)
    badges += tr("mean over the head's channels");
  if (request.includeSkip && !kept && (kind == MapKind::Student || kind == MapKind::Difference))
    badges += tr("D on the diagonal");
  const QString warning = map.nonFinite > 0
                              ? tr("⚠ %n number(s) not finite", nullptr, static_cast<int>(map.nonFinite))
                              : QString();
  target->setBadges(target->hasMap() ? badges : QStringList(), warning);
  target->setRangeWarning(raw && target->hasMap() && !request.scale.locked);
  target->setSummary(target->hasMap() ? tr("%1, %2 tokens, %3")
                                            .arg(target->title())
                                            .arg(request.set->seqlen())
                                            .arg(target->scale().caption())
                                      : map.reason);
}

void MatricesBoard::showDistances() {
  QStringList parts;
  if (m_frame->distance) {
    parts += tr("Frobenius <b>%1</b>").arg(formatNumber(m_frame->distance->frobenius));
    parts += tr("relative <b>%1</b>").arg(formatNumber(m_frame->distance->relative));
    parts += tr("cosine <b>%1</b>").arg(formatNumber(m_frame->distance->cosine));
  }
  const auto both = [&](const QString& name, auto member, const QString& unit) {
    const auto read = [&](const std::optional<MatrixSummary>& summary) {
      return summary ? formatNumber((*summary).*member) : QStringLiteral("–");
    };
    const Colors& colors = Theme::instance().colors();
    parts += QStringLiteral("%1 <span style='color:%2'>● %3</span> <span style='color:%4'>▲ %5</span> %6")
                 .arg(name, colors.teacher.name(), read(m_frame->teacherSummary), colors.student.name(),
                      read(m_frame->studentSummary), unit);
  };
  both(tr("entropy"), &MatrixSummary::mean_entropy, tr("nats"));
  both(tr("reach"), &MatrixSummary::mean_lag, tr("tokens"));
  both(tr("row sums off by"), &MatrixSummary::max_row_sum_error, QString());
  m_distances->setText(parts.join(QStringLiteral(" &nbsp;·&nbsp; ")));
}

CellValues MatricesBoard::cellAt(int query, int key) const {
  if (!m_request.set) return {};
  return cellValues(*m_request.set, m_request.pair, m_request.includeSkip, query, key);
}

void MatricesBoard::setCell(int query, int key) {
  const bool rowChanged = query != m_query;
  m_query = query;
  m_key = key;
  const CellValues cell = cellAt(query, key);
  for (const MapKind kind : kMapKinds) {
    std::optional<double> value = valueOf(cell, kind);
    const bool teacher = kind == MapKind::Teacher;
    if (value && plot(kind)->scale().mode == ScaleMode::RowRescaled) {
      const TensorView matrix =
          teacher ? m_request.set->teacher().matrix(m_request.pair.layer, m_request.pair.teacher)
                  : m_request.set->student().matrix(m_request.pair.layer, m_request.pair.student);
      value = plot(kind)->scale().transform(*value, largestInRow(matrix, query));
    } else if (value) {
      value = plot(kind)->scale().transform(*value, 1);
    }
    plot(kind)->setCrosshair(query, key, value);
  }
  if (rowChanged) refreshRow();
  m_row->setKey(key);
  m_lag->setLag(query >= 0 && key >= 0 && key <= query ? query - key : -1);
}

void MatricesBoard::setPin(int query, int key) {
  m_pinQuery = query;
  m_pinKey = key;
}

void MatricesBoard::refreshRow() {
  const auto rowOf = [&](TensorView matrix) {
    QVector<double> weights;
    for (int key = 0; !matrix.empty() && key <= m_query; ++key) weights.append(matrix.row(m_query)[key]);
    return weights;
  };
  auto& [teacher, student] = m_rowWeights;
  teacher.clear();
  student.clear();
  if (m_request.set && m_query >= 0) {
    const HeadPair& pair = m_request.pair;
    teacher = rowOf(m_request.set->teacher().matrix(pair.layer, pair.teacher));
    student = rowOf(m_request.set->student().matrix(pair.layer, pair.student));
    if (m_request.includeSkip && !student.isEmpty())
      student.last() += m_request.set->student().skip(pair.layer, pair.student).value_or(0.0F);
  }
  m_row->setRow(m_query, teacher, student);
}

void MatricesBoard::linkZoom(MatrixPlot* source) {
  const QCPRange keys = source->visibleKeys(), queries = source->visibleQueries();
  for (MatrixPlot* map : m_plots)
    if (map != source) map->setVisibleTokens(keys, queries);
  m_row->xAxis->setRange(keys);
  m_row->replot(QCustomPlot::rpQueuedReplot);
  if (!m_request.set || m_request.set->seqlen() <= kMaxMapCells) return;
  m_request.window = {
      static_cast<int>(std::floor(queries.lower + 0.5)), static_cast<int>(std::ceil(queries.upper - 0.5)),
      static_cast<int>(std::floor(keys.lower + 0.5)), static_cast<int>(std::ceil(keys.upper - 0.5))};
  requestFrame();
}

void MatricesBoard::zoom(double factor) {
  MatrixPlot* map = plot(MapKind::Teacher);
  const double key = m_key >= 0 ? m_key : map->xAxis->range().center();
  const double query = m_query >= 0 ? m_query : map->yAxis->range().center();
  map->xAxis->scaleRange(factor, key);
  map->yAxis->scaleRange(factor, query);
  map->replot(QCustomPlot::rpQueuedReplot);
}

void MatricesBoard::showTokens(int first, int last) {
  MatrixPlot* map = plot(MapKind::Teacher);
  map->xAxis->setRange(first - 0.5, last + 0.5);
  map->yAxis->setRange(first - 0.5, last + 0.5);
  map->replot(QCustomPlot::rpQueuedReplot);
}

void MatricesBoard::resetZoom() {
  if (m_request.set) showTokens(0, m_request.set->seqlen() - 1);
}

QList<Plot*> MatricesBoard::plots() const {
  QList<Plot*> all;
  for (MatrixPlot* map : m_plots) all.append(map);
  return all << m_row << m_lag;
}

PlotTable MatricesBoard::mapTable(MapKind kind) const {
  PlotTable table;
  if (!m_request.set) return table;
  const MatrixSet& set = *m_request.set;
  table.headers = {tr("query i"), tr("query token")};
  for (int key = 0; key < set.seqlen(); ++key)
    table.headers.append(QStringLiteral("j=%1 %2").arg(key).arg(set.tokens[key]));
  for (int query = 0; query < set.seqlen(); ++query) {
    QStringList row{QString::number(query), set.tokens[query]};
    for (int key = 0; key < set.seqlen(); ++key) {
      const auto value = key <= query ? valueOf(cellAt(query, key), kind) : std::nullopt;
      row.append(value ? QString::number(*value, 'g', 9) : QString());
    }
    table.rows.append(row);
  }
  return table;
}

}  // namespace tandem::ui
