#include "ui/views/matrices_view.h"

#include <algorithm>

#include <QAction>
#include <QComboBox>
#include <QKeyEvent>
#include <QScrollArea>
#include <QSlider>
#include <QSplitter>
#include <QStackedWidget>
#include <QVBoxLayout>

#include "ui/theme.h"
#include "ui/views/matrices_board.h"
#include "ui/views/matrices_facts.h"
#include "ui/views/matrices_readout.h"
#include "ui/views/matrices_scale_bar.h"
#include "ui/views/matrices_source_bar.h"
#include "ui/views/matrices_state_card.h"
#include "ui/widgets/head_navigator.h"
#include "ui/widgets/snapshot_slider.h"
#include "ui/widgets/token_strip.h"

namespace tandem::ui {
namespace {

constexpr double kZoomStep = 0.7;
constexpr int kSideWidth = 232;  // navigator and read-out

}  // namespace

MatricesView::MatricesView(Workspace& workspace, QWidget* parent)
    : View(parent),
      m_workspace(workspace),
      m_captureTask([this](const CaptureOutcome& outcome) { captured(outcome); }),
      m_overviewTask([this](const HeadSummaries& heads) { showOverview(heads); }),
      m_storeTask([this](const QString& error) {
        m_source->setStore(!error.isEmpty(), error.isEmpty() ? tr("Kept in the session") : error);
        if (!error.isEmpty()) m_source->setStatus(error);
      }),
      m_recordedTask([this](const RecordedMatrices& recorded) { takeRecorded(recorded); }),
      m_snapshotTask([this](const TrainingSet& read) { takeSnapshot(read); }) {
  buildLayout();
  connectWorkspace();
  connectBars();
  connectMaps();
  addCommands();
  applyColors();
  refreshSource();
  readRecorded();
}

MatricesView::~MatricesView() = default;

void MatricesView::buildLayout() {
  m_source = new MatricesSourceBar(this);
  m_scrubber = new SnapshotSlider(this);
  m_scrubber->hide();
  m_strip = new TokenStrip(this);
  m_scale = new MatricesScaleBar(this);
  m_navigator = new HeadNavigator(&m_heads, this);
  m_readout = new MatricesReadout(this);
  m_board = new MatricesBoard(this);
  m_card = new MatricesStateCard(this);

  auto* side = new QWidget(this);
  auto* sideLayout = new QVBoxLayout(side);
  sideLayout->setContentsMargins(0, 0, 0, 0);
  sideLayout->setSpacing(8);
  sideLayout->addWidget(m_navigator, 1);
  sideLayout->addWidget(m_readout);
  side->setMinimumWidth(kSideWidth);

  auto* scroll = new QScrollArea(this);  // in a low window the maps keep a readable size
  scroll->setObjectName(QStringLiteral("boardScroll"));
  scroll->setWidget(m_board);
  scroll->setWidgetResizable(true);
  scroll->setFrameShape(QFrame::NoFrame);
  scroll->setFocusPolicy(Qt::NoFocus);

  auto* splitter = new QSplitter(Qt::Horizontal, this);
  splitter->addWidget(side);
  splitter->addWidget(scroll);
  splitter->setStretchFactor(1, 1);
  splitter->setSizes({kSideWidth, 4 * kSideWidth});
  splitter->setChildrenCollapsible(false);

  auto* content = new QWidget(this);
  auto* contentLayout = new QVBoxLayout(content);
  contentLayout->setContentsMargins(0, 0, 0, 0);
  contentLayout->setSpacing(8);
  contentLayout->addWidget(m_strip);
  contentLayout->addWidget(m_scale);
  contentLayout->addWidget(splitter, 1);
  contentLayout->addWidget(m_scrubber);

  m_stack = new QStackedWidget(this);
  m_stack->addWidget(m_card);
  m_stack->addWidget(content);
  auto* column = new QVBoxLayout(this);
  column->setContentsMargins(12, 12, 12, 12);
  column->setSpacing(8);
  column->addWidget(m_source);
  column->addWidget(m_stack, 1);
}

void MatricesView::connectWorkspace() {
  connect(&m_workspace, &Workspace::modelsChanged, this, [this] {
    m_captureTask.cancel();
    if (m_set && !m_set->recorded) showSet(nullptr);  // matrices of models that are gone
    refreshSource();
    readRecorded();
  });
  connect(&m_workspace, &Workspace::problemsChanged, this, &MatricesView::refreshSource);
  connect(&m_workspace, &Workspace::stateChanged, this, &MatricesView::refreshSource);
  connect(&m_workspace, &Workspace::sessionChanged, this, [this] {
    readRecorded();
    refreshSource();
  });
  connect(&m_workspace.selection(), &SelectionModel::changed, this, [this](SelectionModel::Fields fields) {
    if (fields & (SelectionModel::ProblemIndex | SelectionModel::CompletionIndex)) refreshSource();
    if (fields & (SelectionModel::Layer | SelectionModel::Head)) showPair();
    if (fields & (SelectionModel::Query | SelectionModel::Key)) showCell();
  });
}

void MatricesView::connectBars() {
  connect(m_source, &MatricesSourceBar::choiceChanged, this, &MatricesView::takeChoice);
  connect(m_scrubber, &SnapshotSlider::chosen, this, &MatricesView::readSnapshot);
  connect(m_source, &MatricesSourceBar::typed, this, &MatricesView::refreshSource);
  connect(m_source, &MatricesSourceBar::captureRequested, this, &MatricesView::capture);
  connect(m_source, &MatricesSourceBar::cancelRequested, this, &MatricesView::cancelCapture);
  connect(m_source, &MatricesSourceBar::storeRequested, this, &MatricesView::store);
  connect(m_source, &MatricesSourceBar::factsRequested, this, &MatricesView::showFacts);
  connect(m_card, &MatricesStateCard::captureRequested, this, &MatricesView::capture);
  connect(m_card, &MatricesStateCard::cancelRequested, this, &MatricesView::cancelCapture);
  connect(m_scale, &MatricesScaleBar::settingsChanged, this, [this] {
    m_board->setScale(m_scale->settings(), m_scale->includeSkip());
    startOverview();
    showCell();
  });
  connect(m_scale, &MatricesScaleBar::colorMapChanged, this, &MatricesView::applyColors);
  connect(m_scale, &MatricesScaleBar::mapsShownChanged, this,
          [this] { m_board->setMapsShown(m_scale->differenceShown(), m_scale->decompositionShown()); });
  connect(&Theme::instance(), &Theme::changed, this, &MatricesView::applyColors);
}

void MatricesView::connectMaps() {
  const auto hover = [this](int query, int key) {
    if (!m_pinned) selectCell(query, key);
  };
  const SelectionModel& selection = m_workspace.selection();
  connect(m_board, &MatricesBoard::cellHovered, this, hover);
  connect(m_board, &MatricesBoard::cellClicked, this, &MatricesView::clickCell);
  connect(m_board, &MatricesBoard::frameShown, this, [this] {
    if (std::exchange(m_wantsCell, false) && m_board->frame()->telltaleQuery >= 0)
      selectCell(m_board->frame()->telltaleQuery, m_board->frame()->telltaleKey);
    showCell();
  });
  connect(m_strip, &TokenStrip::keyHovered, this,
          [hover, &selection](int token) { hover(std::max(selection.query(), token), token); });
  connect(m_strip, &TokenStrip::queryHovered, this,
          [hover, &selection](int token) { hover(token, std::min(selection.key(), token)); });
  connect(m_strip, &TokenStrip::tokenClicked, this, [this, &selection](int token, bool asQuery) {
    m_pinned = false;
    if (asQuery)
      clickCell(token, std::clamp(selection.key(), 0, token));
    else
      clickCell(std::max(selection.query(), token), token);
  });
  connect(m_strip, &TokenStrip::rangeSelected, m_board, &MatricesBoard::showTokens);
  connect(m_navigator, &HeadNavigator::previewed, this, [this](int layer, int head) {
    m_preview = pairFor(layer, head);
    showPair();
  });
  connect(m_navigator, &HeadNavigator::previewEnded, this, [this] {
    m_preview.reset();
    showPair();
  });
  connect(m_navigator, &HeadNavigator::chosen, this, [this](int layer, int head) {
    m_preview.reset();
    m_workspace.selection().setLayer(layer);
    m_workspace.selection().setHead(head);
    showPair();
  });
  connect(m_navigator, &HeadNavigator::teacherHeadPicked, this, [this](int head) {
    m_teacherHeads[pair().layer] = head;
    showPair();
  });
}

void MatricesView::addCommand(const QString& name, const QString& text, const QKeySequence& key,
                              std::function<void()> run) {
  auto* action = new QAction(text, this);
  action->setObjectName(name);
  action->setShortcut(key);
  action->setShortcutContext(Qt::WidgetWithChildrenShortcut);
  connect(action, &QAction::triggered, this, std::move(run));
  addAction(action);
}

void MatricesView::addCommands() {
  const auto head = [this](int layers, int heads) {
    return [this, layers, heads] { moveHead(layers, heads); };
  };
  const auto cell = [this](int queries, int keys) {
    return [this, queries, keys] { moveCell(queries, keys); };
  };
  addCommand(QStringLiteral("nextHead"), tr("Next head"), Qt::Key_Right, head(0, 1));
  addCommand(QStringLiteral("previousHead"), tr("Previous head"), Qt::Key_Left, head(0, -1));
  addCommand(QStringLiteral("nextLayer"), tr("Next layer"), Qt::Key_Down, head(1, 0));
  addCommand(QStringLiteral("previousLayer"), tr("Previous layer"), Qt::Key_Up, head(-1, 0));
  addCommand(QStringLiteral("cellRight"), tr("Next key"), Qt::SHIFT | Qt::Key_Right, cell(0, 1));
  addCommand(QStringLiteral("cellLeft"), tr("Previous key"), Qt::SHIFT | Qt::Key_Left, cell(0, -1));
  addCommand(QStringLiteral("cellDown"), tr("Next query"), Qt::SHIFT | Qt::Key_Down, cell(1, 0));
  addCommand(QStringLiteral("cellUp"), tr("Previous query"), Qt::SHIFT | Qt::Key_Up, cell(-1, 0));
  addCommand(QStringLiteral("tokenBack"), tr("Key one token back"), Qt::Key_Comma, cell(0, -1));
  addCommand(QStringLiteral("tokenForward"), tr("Key one token on"), Qt::Key_Period, cell(0, 1));
  addCommand(QStringLiteral("earlierSnapshot"), tr("Earlier training step"), Qt::Key_BracketLeft,
             [this] { m_scrubber->stepBy(-1); });
  addCommand(QStringLiteral("laterSnapshot"), tr("Later training step"), Qt::Key_BracketRight,
             [this] { m_scrubber->stepBy(1); });
  addCommand(QStringLiteral("cycleScale"), tr("Next scale mode"), Qt::Key_M,
             [this] { m_scale->cycleMode(); });
  addCommand(QStringLiteral("toggleDecomposition"), tr("Decay and content"), Qt::Key_D,
             [this] { m_scale->setDecompositionShown(!m_scale->decompositionShown()); });
  addCommand(QStringLiteral("toggleDifference"), tr("Difference map"), Qt::Key_X,
             [this] { m_scale->setDifferenceShown(!m_scale->differenceShown()); });
  addCommand(QStringLiteral("toggleLock"), tr("Same range for A and M"), Qt::Key_L,
             [this] { m_scale->toggleLock(); });
  addCommand(QStringLiteral("zoomIn"), tr("Zoom in"), Qt::Key_Plus, [this] { m_board->zoom(kZoomStep); });
  addCommand(QStringLiteral("zoomOut"), tr("Zoom out"), Qt::Key_Minus,
             [this] { m_board->zoom(1 / kZoomStep); });
  addCommand(QStringLiteral("resetZoom"), tr("Whole text"), Qt::Key_Home, [this] { m_board->resetZoom(); });
  addCommand(QStringLiteral("release"), tr("Release pin or lock"), Qt::Key_Escape, [this] { release(); });
  addCommand(QStringLiteral("matrixFacts"), tr("About mixing matrices"), Qt::Key_I, [this] { showFacts(); });
  // Keys that a control needs for itself must not walk heads while it has the focus.
  for (QWidget* control : findChildren<QWidget*>())
    if (qobject_cast<QComboBox*>(control) != nullptr || qobject_cast<QSlider*>(control) != nullptr)
      control->installEventFilter(this);
}

bool MatricesView::eventFilter(QObject* watched, QEvent* event) {
  if (event->type() == QEvent::ShortcutOverride) {
    const int key = static_cast<QKeyEvent*>(event)->key();
    for (const int own :
         {Qt::Key_Left, Qt::Key_Right, Qt::Key_Up, Qt::Key_Down, Qt::Key_Home, Qt::Key_Escape})
      if (key == own) event->accept();
  }
  return View::eventFilter(watched, event);
}

QList<Plot*> MatricesView::plots() const {
  return m_board->plots();
}

bool MatricesView::settled() const {
  return m_set != nullptr && m_board->settled() && !m_captureTask.running() && !m_overviewTask.running() &&
         !m_recordedTask.running() && !m_snapshotTask.running();
}

void MatricesView::demonstrate() {
  if (m_set) return;
  m_scale->setMode(ScaleMode::Log);  // shows decay and faint links that a linear scale hides
  m_demonstrating = true;
  refreshSource();
}

// ---- Heads

HeadPair MatricesView::pairFor(int layer, int head) const {
  if (!m_set || m_set->pairsOneToOne(layer)) return {layer, head, head};
  const auto picked = m_teacherHeads.find(layer);
  const int last = std::max(0, m_set->teacher().heads(layer) - 1);
  return {layer, head, picked != m_teacherHeads.end() ? picked->second : std::min(head, last)};
}

HeadPair MatricesView::pair() const {
  if (m_preview) return *m_preview;
  const SelectionModel& selection = m_workspace.selection();
  return pairFor(selection.layer(), selection.head());
}

void MatricesView::showPair() {
  if (!m_set) return;
  const HeadPair shown = pair();
  m_board->showPair(shown);
  if (!m_preview) m_navigator->setCurrent(shown.layer, shown.student);
  const bool pairs = m_set->pairsOneToOne(shown.layer);
  m_navigator->setTeacherHeads(pairs ? 0 : m_set->teacher().heads(shown.layer),
                               m_set->student().heads(shown.layer), shown.teacher);
  showCell();
}

/// Walks within what there is; layers may have different numbers of heads.
void MatricesView::moveHead(int layers, int heads) {
  if (!m_set) return;
  m_preview.reset();
  SelectionModel& selection = m_workspace.selection();
  const int layer = std::clamp(selection.layer() + layers, 0, m_set->student().layerCount() - 1);
  const int last = std::max(0, m_set->student().heads(layer) - 1);
  selection.setLayer(layer);
  selection.setHead(std::clamp(selection.head() + heads, 0, last));
  showPair();
}

void MatricesView::startOverview() {
  if (!m_set) {
    m_overviewTask.cancel();
    m_heads.setHeads(nullptr);
    return;
  }
  m_overviewTask.start([set = m_set, skip = m_scale->includeSkip()](std::stop_token stop) {
    return summarizeHeads(*set, skip, stop);
  });
}

void MatricesView::showOverview(const HeadSummaries& heads) {
  m_heads.setHeads(heads);
  const HeadSummary* closest = m_heads.closest();
  SelectionModel& selection = m_workspace.selection();
  if (std::exchange(m_wantsHead, false) && closest && selection.layer() == 0 && selection.head() == 0) {
    m_wantsCell = true;
    selection.setLayer(closest->pair.layer);
    selection.setHead(closest->pair.student);
  }
  const HeadPair shown = pair();
  m_navigator->setCurrent(shown.layer, shown.student);
}

void MatricesView::applyColors() {
  m_heads.setColors(m_scale->colorMap(), divergingColorMap(Theme::instance().colors().dark));
  m_board->setColorMap(m_scale->colorMap());
  showCell();
}

// ---- Cells

void MatricesView::selectCell(int query, int key) {
  if (m_set && query >= 0 && key >= 0 && query < m_set->seqlen() && key < m_set->seqlen())
    m_workspace.selection().setCell(query, key);
}

void MatricesView::clickCell(int query, int key) {
  const SelectionModel& selection = m_workspace.selection();
  const bool again = m_pinned && selection.query() == query && selection.key() == key;
  m_pinned = !again;
  selectCell(query, key);
  showCell();
}

void MatricesView::moveCell(int queries, int keys) {
  if (!m_set) return;
  const SelectionModel& selection = m_workspace.selection();
  const int query = std::clamp(selection.query() + queries, 0, m_set->seqlen() - 1);
  m_pinned = true;  // else the next touch of the mouse would take the cell away
  selectCell(query, std::clamp(selection.key() + keys, 0, query));
  m_strip->ensureTokenVisible(selection.key());
  showCell();
}

void MatricesView::showCell() {
  if (!m_set) return m_readout->showNothing();
  const SelectionModel& selection = m_workspace.selection();
  const int query = selection.query(), key = selection.key();
  const CellValues cell = m_board->cellAt(query, key);
  m_board->setCell(cell.query, cell.key);
  m_board->setPin(m_pinned ? cell.query : -1, m_pinned ? cell.key : -1);
  m_readout->showCell(*m_set, cell, m_pinned);
  m_strip->setCell(cell.query, cell.key);
  m_strip->setWeights(m_board->rowWeights(Side::Teacher), m_board->rowWeights(Side::Student));
}

void MatricesView::release() {
  if (m_pinned)
    m_pinned = false;
  else
    m_navigator->setLocked(false);
  showCell();
}

void MatricesView::showFacts() {
  MixerKind kind = MixerKind::DiscreteMamba2;
  if (m_set)
    if (const LayerMatrices* layer = m_set->student().layer(pair().layer)) kind = layer->kind;
  auto* facts = new MatricesFacts(kind, this);
  facts->setAttribute(Qt::WA_DeleteOnClose);
  facts->show();
}

}  // namespace tandem::ui
