#include "ui/widgets/plot.h"

#include <utility>

#include <QApplication>
#include <QClipboard>
#include <QContextMenuEvent>
#include <QFileDialog>
#include <QFileInfo>
#include <QMenu>
#include <QMessageBox>
#include <QPdfWriter>
#include <QSaveFile>
#include <QSvgGenerator>

#include "ui/theme.h"
#include "ui/widgets/table_window.h"

namespace tandem::ui {
namespace {

constexpr int kTitleHeight = 26;
constexpr int kFooterHeight = 24;

QString& provenanceLine() {
  static QString line;
  return line;
}

void applyTo(QCPAxis* axis, const Colors& c) {
  axis->setBasePen(QPen(c.border));
  axis->setTickPen(QPen(c.border));
  axis->setSubTickPen(QPen(c.border));
  axis->setLabelColor(c.text);
  axis->setTickLabelColor(c.secondaryText);
  axis->setLabelFont(Theme::body(10));
  axis->setTickLabelFont(Theme::body(9));
  axis->setSelectedLabelColor(c.focus);
  axis->setSelectedTickLabelColor(c.focus);
  QCPGrid* grid = axis->grid();
  grid->setPen(QPen(c.grid));
  grid->setZeroLinePen(QPen(c.border));
  grid->setSubGridPen(QPen(c.grid, 1, Qt::DotLine));
}

void applyTo(QCPLegend* legend, const Colors& c) {
  QColor fill = c.background;
  fill.setAlphaF(0.85F);
  legend->setBrush(fill);
  legend->setBorderPen(QPen(c.grid));
  legend->setTextColor(c.text);
  legend->setFont(Theme::body(9));
}

}  // namespace

struct Plot::Private {
  QString title;
  QString emptyText;
  std::function<PlotTable()> tableSource;
};

Plot::Plot(const QString& objectName, QWidget* parent) : QCustomPlot(parent), d(std::make_unique<Private>()) {
  setObjectName(objectName);
  setMinimumSize(220, 140);
  setSizePolicy(QSizePolicy::Expanding, QSizePolicy::Expanding);
  setFocusPolicy(Qt::StrongFocus);
  setPlottingHint(QCP::phCacheLabels, true);
  setNoAntialiasingOnDrag(true);
  connect(&Theme::instance(), &Theme::changed, this, [this] {
    applyTheme();
    replot(rpQueuedReplot);
  });
  applyTheme();
}

Plot::~Plot() = default;

void Plot::setTitle(const QString& title) {
  d->title = title;
  setAccessibleName(title);
  const QMargins margins(0, title.isEmpty() ? 0 : kTitleHeight, 0, 0);
  plotLayout()->setMinimumMargins(margins);
  plotLayout()->setMargins(margins);
}

QString Plot::title() const {
  return d->title;
}

void Plot::setEmptyText(const QString& text) {
  if (d->emptyText == text) return;
  d->emptyText = text;
  for (QCPAxisRect* rect : axisRects()) rect->setVisible(text.isEmpty());  // axes without data would only mislead
  replot(rpQueuedReplot);
}

QString Plot::emptyText() const {
  return d->emptyText;
}

void Plot::setSummary(const QString& sentence) {
  setAccessibleDescription(sentence);
}

void Plot::setTableSource(std::function<PlotTable()> source) {
  d->tableSource = std::move(source);
}

PlotTable Plot::table() const {
  return d->tableSource ? d->tableSource() : PlotTable{};
}

void Plot::setProvenance(const QString& line) {
  provenanceLine() = line;
}

QString Plot::provenance() {
  return provenanceLine();
}

QPen Plot::sidePen(int side, bool emphasised) {
  const bool teacher = side == static_cast<int>(Side::Teacher);
  QPen pen(Theme::instance().colors().side(teacher ? Side::Teacher : Side::Student));
  pen.setWidthF(emphasised ? 2 : 1);
  pen.setStyle(teacher ? Qt::SolidLine : Qt::DashLine);
  return pen;
}

void Plot::applyTheme() {
  const Colors& c = Theme::instance().colors();
  setBackground(QBrush(c.background));
  for (QCPLayoutElement* element : plotLayout()->elements(true)) {
    if (auto* rect = qobject_cast<QCPAxisRect*>(element)) {
      for (QCPAxis* axis : rect->axes()) applyTo(axis, c);
    } else if (auto* scale = qobject_cast<QCPColorScale*>(element)) {
      applyTo(scale->axis(), c);
    } else if (auto* legendElement = qobject_cast<QCPLegend*>(element)) {
      applyTo(legendElement, c);
    } else if (auto* text = qobject_cast<QCPTextElement*>(element)) {
      text->setTextColor(c.text);
    }
  }
  emit themeApplied();
}

void Plot::paintOverlay(QPainter& painter) const {
  const Colors& c = Theme::instance().colors();
  if (!d->title.isEmpty()) {
    painter.setFont(Theme::body(11, QFont::DemiBold));
    painter.setPen(c.text);
    const QRect line(8, 2, viewport().width() - 16, kTitleHeight - 4);
    const QString text = QFontMetrics(painter.font()).elidedText(d->title, Qt::ElideRight, line.width());
    painter.drawText(line, Qt::AlignVCenter | Qt::AlignLeft, text);
  }
  if (!d->emptyText.isEmpty()) {
    painter.setFont(Theme::body(10));
    painter.setPen(c.secondaryText);
    const QRect area = axisRectCount() > 0 ? axisRect()->rect() : viewport();
    painter.drawText(area.adjusted(12, 8, -12, -8), Qt::AlignCenter | Qt::TextWordWrap, d->emptyText);
  }
}

void Plot::paintEvent(QPaintEvent* event) {
  QCustomPlot::paintEvent(event);
  QPainter painter(this);
  paintOverlay(painter);
}

void Plot::contextMenuEvent(QContextMenuEvent* event) {
  QMenu menu(this);
  if (!actions().isEmpty()) {  // what the view adds comes first
    menu.addActions(actions());
    menu.addSeparator();
  }
  QMenu* exportMenu = menu.addMenu(tr("Export"));
  for (const char* suffix : {"png", "svg", "pdf", "csv"}) {
    const QString name = QString::fromLatin1(suffix);
    QAction* action = exportMenu->addAction(tr("%1…").arg(name.toUpper()));
    action->setEnabled(name != QLatin1String("csv") || d->tableSource);
    connect(action, &QAction::triggered, this, [this, name] { askAndExport(name); });
  }
  menu.addAction(tr("Copy image"), this, [this] { QApplication::clipboard()->setImage(exportImage()); });
  QAction* tableAction = menu.addAction(tr("Show as table"), this, &Plot::showTable);
  tableAction->setEnabled(static_cast<bool>(d->tableSource));
  menu.exec(event->globalPos());
}

void Plot::askAndExport(const QString& suffix) {
  const QString suggestion = QStringLiteral("%1.%2").arg(objectName(), suffix);
  const QString path = QFileDialog::getSaveFileName(
      this, tr("Export plot"), suggestion, QStringLiteral("%1 (*.%2)").arg(suffix.toUpper(), suffix));
  if (path.isEmpty()) return;
  const QString error = exportTo(path);
  if (!error.isEmpty()) QMessageBox::warning(this, tr("Export plot"), error);
}

void Plot::showTable() {
  auto* window = new TableWindow(d->title, table(), this);
  window->setAttribute(Qt::WA_DeleteOnClose);
  window->show();
}

QByteArray Plot::csv() const {
  const auto line = [](const QStringList& cells) {
    QStringList quoted;
    for (QString cell : cells) {
      if (cell.contains(QRegularExpression(QStringLiteral("[\",\n]")))) {
        cell = QLatin1Char('"') + cell.replace(QLatin1String("\""), QLatin1String("\"\"")) + QLatin1Char('"');
      }
      quoted << cell;
    }
    return quoted.join(QLatin1Char(',')).toUtf8() + '\n';
  };
  const PlotTable numbers = table();
  QByteArray text = line(numbers.headers);
  for (const QStringList& row : numbers.rows) text += line(row);
  return text;
}

QSize Plot::exportSize() const {
  return size().expandedTo(QSize(480, 300));
}

/// Colours and size of an export while `paint` runs; the window's look is restored without a repaint between.
template <typename Paint>
void Plot::withExportLook(Paint paint) {
  const QRect shown = viewport();
  const bool updates = updatesEnabled();
  setUpdatesEnabled(false);
  {
    const Theme::LightScope light;
    applyTheme();
    paint();
  }
  setViewport(shown);
  applyTheme();
  setUpdatesEnabled(updates);
  replot(rpQueuedReplot);
}

void Plot::paintExport(QCPPainter& painter, QSize plotSize, int footerHeight) {
  const QRect page(QPoint(0, 0), plotSize + QSize(0, footerHeight));
  painter.fillRect(page, Qt::white);
  toPainter(&painter, plotSize.width(), plotSize.height());
  painter.setClipping(false);
  paintOverlay(painter);
  painter.setFont(Theme::body(9));
  painter.setPen(Theme::instance().colors().secondaryText);
  const QRect foot(8, plotSize.height(), plotSize.width() - 16, footerHeight);
  const QString text =
      QFontMetrics(painter.font()).elidedText(provenanceLine(), Qt::ElideMiddle, foot.width());
  painter.drawText(foot, Qt::AlignVCenter | Qt::AlignLeft, text);
}

QImage Plot::exportImage(double scale) {
  const QSize plotSize = exportSize();
  QImage image((QSizeF(plotSize + QSize(0, kFooterHeight)) * scale).toSize(), QImage::Format_ARGB32);
  withExportLook([&] {
    QCPPainter painter(&image);
    painter.setMode(QCPPainter::pmNoCaching);
    painter.scale(scale, scale);
    paintExport(painter, plotSize, kFooterHeight);
  });
  return image;
}

QString Plot::exportTo(const QString& path) {
  const QString suffix = QFileInfo(path).suffix().toLower();
  if (suffix != QLatin1String("png") && suffix != QLatin1String("svg") && suffix != QLatin1String("pdf") &&
      suffix != QLatin1String("csv")) {
    return tr("%1: the suffix names no export format; use .png, .svg, .pdf or .csv").arg(path);
  }
  QSaveFile file(path);
  if (!file.open(QIODevice::WriteOnly)) return tr("%1: %2").arg(path, file.errorString());
  const QSize plotSize = exportSize();
  const QSize pageSize = plotSize + QSize(0, kFooterHeight);
  const auto paintVector = [&](QPaintDevice& device) {
    withExportLook([&] {
      QCPPainter painter(&device);
      painter.setModes(QCPPainter::pmVectorized | QCPPainter::pmNoCaching);
      paintExport(painter, plotSize, kFooterHeight);
    });
  };
  if (suffix == QLatin1String("csv")) {
    file.write(csv());
  } else if (suffix == QLatin1String("png")) {
    exportImage().save(&file, "PNG");
  } else if (suffix == QLatin1String("svg")) {
    QSvgGenerator generator;
    generator.setOutputDevice(&file);
    generator.setSize(pageSize);
    generator.setViewBox(QRect(QPoint(0, 0), pageSize));
    generator.setTitle(d->title);
    generator.setDescription(provenanceLine());
    paintVector(generator);
  } else {
    QPdfWriter writer(&file);
    writer.setTitle(d->title);
    writer.setResolution(96);  // one unit of the plot is one CSS pixel, 3/4 point
    writer.setPageSize(
        QPageSize(QSizeF(pageSize) * 0.75, QPageSize::Point, QString(), QPageSize::ExactMatch));
    writer.setPageMargins(QMarginsF());
    paintVector(writer);
  }
  return file.commit() ? QString() : tr("%1: %2").arg(path, file.errorString());
}

}  // namespace tandem::ui
