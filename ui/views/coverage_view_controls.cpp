// The controls of the Coverage view: toggles, the what-if speed, evaluation, sliders and keys.
#include <QComboBox>
#include <QHBoxLayout>
#include <QLabel>
#include <QProgressBar>
#include <QPushButton>
#include <QStackedWidget>

#include "ui/views/coverage_view.h"
#include "ui/widgets/action_button.h"
#include "ui/widgets/value_slider.h"

namespace tandem::ui {

QWidget* CoverageView::makeToolbar() {
  auto* bar = new QWidget;
  auto* row = new QHBoxLayout(bar);
  row->setContentsMargins(0, 0, 0, 0);
  addToggles(*row);
  row->addStretch(1);
  addWhatIf(*row);
  addRunControls(*row);
  return bar;
}

void CoverageView::addToggles(QHBoxLayout& row) {
  const auto add = [&](const QString& text, const char* name, const QString& tip, Qt::Key key, bool on) {
    QAction* action = addViewAction(*this, text, QString::fromLatin1(name), tip, key, /*checkable=*/true);
    action->setChecked(on);
    row.addWidget(new ActionButton(action));
    return action;
  };
  const auto addCurve = [&](const QString& text, const char* name, const QString& tip, Qt::Key key,
                            bool CoverageShow::*member) {
    QAction* action = add(text, name, tip, key, m_show.*member);
    connect(action, &QAction::toggled, this, [this, member](bool on) {
      m_show.*member = on;
      updateCurves();
    });
    return action;
  };
  addCurve(tr("Coverage"), "coverageOracle",
           tr("Coverage: an oracle picks, an upper bound on every selector"), Qt::Key_O,
           &CoverageShow::coverage);
  addCurve(tr("Majority"), "coverageMajority", tr("Accuracy of the majority vote"), Qt::Key_M,
           &CoverageShow::majority);
  m_weighted =
      addCurve(tr("Weighted best-of-N"), "coverageWeighted",
               tr("Accuracy of the vote weighted by verifier scores"), Qt::Key_W, &CoverageShow::weighted);
  addCurve(tr("Resampled orders"), "coverageResampled",
           tr("Coverage against seconds, averaged over the orders completions could have started in"),
           Qt::Key_R, &CoverageShow::resampled);
  addCurve(tr("Power law"), "coveragePowerLaw",
           tr("Least-squares fit exp(a k^b) of coverage, drawn to four times its range"), Qt::Key_P,
           &CoverageShow::powerLaw);
  QAction* bands = add(tr("Bands"), "coverageBands", tr("95 % bands over problems"), Qt::Key_B, true);
  connect(bands, &QAction::toggled, m_kPlot, &CoveragePlot::setBandsVisible);
  connect(bands, &QAction::toggled, m_secondsPlot, &CoveragePlot::setBandsVisible);
  QAction* table = add(tr("Table"), "coverageTable", tr("The same numbers as tables"), Qt::Key_T, false);
  connect(table, &QAction::toggled, this, [this](bool on) {
    m_stack->setCurrentIndex(on ? 1 : 0);
    updateTables();
  });
}

void CoverageView::addWhatIf(QHBoxLayout& row) {
  auto* speedLabel = new QLabel(tr("What if the student were"));
  m_speedBox = new QComboBox;
  m_speedBox->setObjectName(QStringLiteral("coverageSpeed"));
  m_speedBox->setAccessibleName(tr("What-if speed of the student, modelled"));
  m_speedBox->setToolTip(tr("Modelled: the student's measured seconds divided by this"));
  for (const double factor : {0.5, 0.75, 1.0, 1.5, 2.0, 3.0, 4.0})
    m_speedBox->addItem(factor == 1 ? tr("as fast as measured") : tr("×%1 as fast").arg(factor), factor);
  m_speedBox->setCurrentIndex(m_speedBox->findData(1.0));
  connect(m_speedBox, &QComboBox::currentIndexChanged, this, [this] {
    m_show.studentSpeed = m_speedBox->currentData().toDouble();
    updateCurves();
  });
  speedLabel->setBuddy(m_speedBox);
  row.addWidget(speedLabel);
  row.addWidget(m_speedBox);
}

void CoverageView::addRunControls(QHBoxLayout& row) {
  m_progress = new QProgressBar;
  m_progress->setObjectName(QStringLiteral("coverageProgress"));
  m_progress->setAccessibleName(tr("Completions of this evaluation"));
  m_progress->setMaximumWidth(180);
  m_stopButton = new QPushButton(tr("Stop"));
  m_stopButton->setObjectName(QStringLiteral("coverageStop"));
  m_evaluateButton = new QPushButton(tr("Evaluate…"));
  m_evaluateButton->setObjectName(QStringLiteral("coverageEvaluate"));
  connect(m_stopButton, &QPushButton::clicked, &m_workspace, &Workspace::stop);
  connect(m_evaluateButton, &QPushButton::clicked, this, &CoverageView::openEvaluateDialog);
  for (QWidget* widget : std::initializer_list<QWidget*>{m_progress, m_stopButton, m_evaluateButton})
    row.addWidget(widget);
}

QWidget* CoverageView::makeSliders() {
  auto* bar = new QWidget;
  auto* row = new QHBoxLayout(bar);
  row->setContentsMargins(0, 0, 0, 0);
  m_linkAction =
      addViewAction(*this, tr("Linked"), QStringLiteral("coverageLink"),
                    tr("Moving seconds moves k, by the completions finished until then, and back"), Qt::Key_L,
                    /*checkable=*/true);
  m_linkAction->setChecked(m_workspace.selection().linked());
  connect(m_linkAction, &QAction::toggled, this, [this](bool on) {
    m_linkAction->setText(on ? tr("Linked") : tr("Not linked"));
    m_workspace.selection().setLinked(on);
    updateBudget();
  });
  row->addWidget(m_kSlider, 1);
  row->addWidget(new ActionButton(m_linkAction));
  row->addWidget(m_secondsSlider, 1);
  return bar;
}

void CoverageView::makeKeys() {
  QAction* k = addViewAction(*this, tr("k slider"), QStringLiteral("coverageFocusK"),
                             tr("Go to the k slider"), Qt::Key_K, /*checkable=*/false);
  connect(k, &QAction::triggered, m_kSlider, &ValueSlider::focusSlider);
  QAction* seconds = addViewAction(*this, tr("Seconds slider"), QStringLiteral("coverageFocusSeconds"),
                                   tr("Go to the seconds slider"), Qt::Key_S, /*checkable=*/false);
  connect(seconds, &QAction::triggered, m_secondsSlider, &ValueSlider::focusSlider);
}

}  // namespace tandem::ui
