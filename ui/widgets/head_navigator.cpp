#include "ui/widgets/head_navigator.h"

#include <algorithm>

#include <QComboBox>
#include <QEvent>
#include <QHeaderView>
#include <QLabel>
#include <QLineEdit>
#include <QMouseEvent>
#include <QRegularExpression>
#include <QSignalBlocker>
#include <QTableView>
#include <QToolButton>
#include <QVBoxLayout>

#include "ui/theme.h"
#include "ui/widgets/head_navigator_delegate.h"

namespace tandem::ui {
namespace {

constexpr int kSmallestCell = 32;
constexpr int kLargestCell = 64;
constexpr int kWorstCount = 16;
enum Order { GridOrder, WorstFirst, OnlyWorst };

}  // namespace

HeadNavigator::HeadNavigator(HeadModel* model, QWidget* parent) : QWidget(parent), m_model(model) {
  setObjectName(QStringLiteral("headNavigator"));
  auto* layout = new QVBoxLayout(this);
  layout->setContentsMargins(0, 0, 0, 0);
  layout->setSpacing(8);
  buildControls();
  buildTable();
  buildPairing();
  m_footer = new QLabel(this);
  m_footer->setObjectName(QStringLiteral("navigatorFooter"));
  m_footer->setFont(Theme::body(9));
  m_footer->setWordWrap(true);
  layout->addWidget(m_footer);
  connect(m_model, &QAbstractItemModel::modelReset, this, [this] {
    fitCells();
    refreshFooter();
  });
  connect(&Theme::instance(), &Theme::changed, this, [this] {
    refreshLock();
    m_table->viewport()->update();
  });
  refreshFooter();
}

void HeadNavigator::buildControls() {
  auto* row = new QHBoxLayout;
  row->setSpacing(8);
  m_metric = new QComboBox(this);
  m_metric->setObjectName(QStringLiteral("headMetric"));
  m_metric->setAccessibleName(tr("What a cell shows"));
  m_metric->setToolTip(tr("What a cell shows: a thumbnail or one number per head"));
  for (int metric = 0; metric <= static_cast<int>(HeadMetric::RowSumError); ++metric)
    m_metric->addItem(headMetricName(static_cast<HeadMetric>(metric)));
  connect(m_metric, &QComboBox::currentIndexChanged, m_model,
          [this](int index) { m_model->setMetric(static_cast<HeadMetric>(index)); });
  m_lock = new QToolButton(this);
  m_lock->setObjectName(QStringLiteral("headLock"));
  m_lock->setCheckable(true);
  m_lock->setAutoRaise(true);
  connect(m_lock, &QToolButton::toggled, this, &HeadNavigator::setLocked);
  row->addWidget(m_metric, 1);
  row->addWidget(m_lock);

  auto* second = new QHBoxLayout;
  second->setSpacing(8);
  m_order = new QComboBox(this);
  m_order->setObjectName(QStringLiteral("headOrder"));
  m_order->setAccessibleName(tr("Order of heads"));
  m_order->addItems({tr("Layers × heads"), tr("Worst first"), tr("Worst %1").arg(kWorstCount)});
  m_order->setToolTip(tr("Worst = largest relative distance between M and A"));
  connect(m_order, &QComboBox::currentIndexChanged, m_model, [this](int order) {
    m_model->setWorstFirst(order != GridOrder, order == OnlyWorst ? kWorstCount : 0);
  });
  m_search = new QLineEdit(this);
  m_search->setObjectName(QStringLiteral("headSearch"));
  m_search->setAccessibleName(tr("Go to a head"));
  m_search->setPlaceholderText(tr("L2H3"));
  m_search->setMaximumWidth(72);
  m_search->setToolTip(tr("Type a layer and a head, for example L2H3, then Enter"));
  connect(m_search, &QLineEdit::returnPressed, this, &HeadNavigator::search);
  second->addWidget(m_order, 1);
  second->addWidget(m_search);
  auto* column = static_cast<QVBoxLayout*>(layout());
  column->addLayout(row);
  column->addLayout(second);
  setLocked(false);
}

void HeadNavigator::buildTable() {
  m_table = new QTableView(this);
  m_table->setObjectName(QStringLiteral("headTable"));
  m_table->setAccessibleName(tr("Layers and heads of the student"));
  m_table->setModel(m_model);
  m_table->setItemDelegate(new HeadDelegate(m_table));
  m_table->setSelectionMode(QAbstractItemView::SingleSelection);
  m_table->setShowGrid(false);
  m_table->setFrameShape(QFrame::NoFrame);
  m_table->setMouseTracking(true);
  m_table->viewport()->setBackgroundRole(QPalette::Window);
  m_table->setHorizontalScrollMode(QAbstractItemView::ScrollPerPixel);
  m_table->setVerticalScrollMode(QAbstractItemView::ScrollPerPixel);
  for (QHeaderView* header : {m_table->horizontalHeader(), m_table->verticalHeader()}) {
    header->setMinimumSectionSize(kSmallestCell);
    header->setSectionResizeMode(QHeaderView::Fixed);
    header->setDefaultAlignment(Qt::AlignCenter);
    header->setFont(Theme::body(9));
    header->setHighlightSections(true);
    header->setSectionsClickable(false);
  }
  m_table->viewport()->installEventFilter(this);
  connect(m_table, &QTableView::entered, this, [this](const QModelIndex& index) {
    const HeadSummary* head = m_model->summary(index);
    if (head != nullptr && !m_locked) emit previewed(head->pair.layer, head->pair.student);
  });
  connect(m_table, &QTableView::clicked, this, [this](const QModelIndex& index) {
    const HeadSummary* head = m_model->summary(index);
    if (head == nullptr) return;
    setLocked(true);
    emit chosen(head->pair.layer, head->pair.student);
  });
  static_cast<QVBoxLayout*>(layout())->addWidget(m_table, 1);
}

void HeadNavigator::buildPairing() {
  m_pairing = new QWidget(this);
  auto* column = new QVBoxLayout(m_pairing);
  column->setContentsMargins(0, 0, 0, 0);
  m_pairingText = new QLabel(m_pairing);
  m_pairingText->setWordWrap(true);
  m_teacherHead = new QComboBox(m_pairing);
  m_teacherHead->setObjectName(QStringLiteral("teacherHead"));
  m_teacherHead->setAccessibleName(tr("Teacher head to compare with"));
  m_pairingText->setBuddy(m_teacherHead);
  column->addWidget(m_pairingText);
  column->addWidget(m_teacherHead);
  connect(m_teacherHead, &QComboBox::activated, this, &HeadNavigator::teacherHeadPicked);
  static_cast<QVBoxLayout*>(layout())->addWidget(m_pairing);
  m_pairing->hide();
}

void HeadNavigator::setTeacherHeads(int count, int studentHeads, int current) {
  m_pairing->setVisible(count > 0);
  if (count <= 0) return;
  m_pairingText->setText(
      tr("The teacher has %1 heads here and the student %2, so heads do not pair one to one. "
         "Compare with teacher head:")
          .arg(count)
          .arg(studentHeads));
  const QSignalBlocker block(m_teacherHead);
  m_teacherHead->clear();
  for (int head = 0; head < count; ++head) m_teacherHead->addItem(QStringLiteral("h%1").arg(head));
  m_teacherHead->setCurrentIndex(current);
}

void HeadNavigator::setCurrent(int layer, int head) {
  const QModelIndex index = m_model->indexOf(layer, head);
  if (index == m_table->currentIndex()) return;
  m_table->selectionModel()->setCurrentIndex(index, QItemSelectionModel::ClearAndSelect);
  if (index.isValid() && !m_table->viewport()->underMouse()) m_table->scrollTo(index);
}

void HeadNavigator::setLocked(bool on) {
  const bool changed = on != m_locked;
  m_locked = on;
  m_lock->setChecked(on);
  refreshLock();
  if (changed) emit lockChanged(on);
}

void HeadNavigator::refreshLock() {
  const bool on = m_locked;
  m_lock->setIcon(Theme::icon(on ? QStringLiteral("lock") : QStringLiteral("unlock")));
  m_lock->setToolTip(on ? tr("Locked: hovering other heads changes nothing (Esc unlocks)")
                        : tr("Hovering a head previews it; a click locks it"));
  m_lock->setAccessibleName(on ? tr("Head locked") : tr("Head not locked"));
}

void HeadNavigator::search() {
  static const QRegularExpression pattern(QStringLiteral("^\\s*L?\\s*(\\d+)\\s*[H,.\\s]\\s*(\\d+)\\s*$"),
                                          QRegularExpression::CaseInsensitiveOption);
  const auto match = pattern.match(m_search->text());
  const int layer = match.captured(1).toInt(), head = match.captured(2).toInt();
  const QModelIndex index = match.hasMatch() ? m_model->indexOf(layer, head) : QModelIndex();
  QPalette colors = palette();
  if (!index.isValid()) colors.setColor(QPalette::Text, Theme::instance().colors().wrong);
  m_search->setPalette(colors);
  m_search->setToolTip(index.isValid() ? tr("Type a layer and a head, for example L2H3, then Enter")
                                       : tr("There is no head “%1” here").arg(m_search->text()));
  if (!index.isValid()) return;
  setLocked(true);
  emit chosen(layer, head);
}

void HeadNavigator::fitCells() {
  const int columns = m_model->columnCount();
  if (columns == 0) return;
  const int cell = std::clamp(m_table->viewport()->width() / columns, kSmallestCell, kLargestCell);
  for (QHeaderView* header : {m_table->horizontalHeader(), m_table->verticalHeader()})
    header->setDefaultSectionSize(cell);
  m_table->horizontalHeader()->setVisible(!m_model->worstFirst());
}

void HeadNavigator::refreshFooter() {
  const HeadSummary* worst = m_model->worst();
  QStringList lines;
  if (worst != nullptr)
    lines += tr("Dashed: worst head, L%1H%2 at %3")
                 .arg(worst->pair.layer)
                 .arg(worst->pair.student)
                 .arg(worst->distance.relative, 0, 'f', 2);
  for (int row = 0; row < m_model->rowCount(); ++row)
    if (m_model->index(row, 0).data(HeadModel::AttentionKeptRole).toBool()) {
      lines += tr("A, hatched: attention kept");
      break;
    }
  m_footer->setToolTip(tr("Worst: largest relative distance ‖M − A‖ / ‖A‖"));
  m_footer->setText(lines.join(QLatin1Char('\n')));
  m_footer->setVisible(!lines.isEmpty());
}

bool HeadNavigator::eventFilter(QObject* watched, QEvent* event) {
  if (watched == m_table->viewport() && event->type() == QEvent::Leave && !m_locked) emit previewEnded();
  if (watched == m_table->viewport() && event->type() == QEvent::Resize) fitCells();
  return QWidget::eventFilter(watched, event);
}

}  // namespace tandem::ui
