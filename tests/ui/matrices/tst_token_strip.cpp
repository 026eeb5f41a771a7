// The token strip driven by the mouse.
#include <QSignalSpy>
#include <QTest>

#include "ui/widgets/token_strip.h"

using namespace tandem::ui;

class TestTokenStrip : public QObject {
  Q_OBJECT
 private slots:
  void init() {
    m_strip = std::make_unique<TokenStrip>();
    m_strip->resize(300, 80);
    QStringList tokens;
    for (int k = 0; k < 60; ++k) tokens.append(QStringLiteral("token%1").arg(k));
    m_strip->setTokens(tokens);
    m_strip->show();
    QVERIFY(QTest::qWaitForWindowExposed(m_strip.get()));
  }

  void tokens_wrap_and_do_not_overlap() {
    for (int a = 0; a < 60; ++a) {
      QVERIFY(m_strip->tokenRect(a).right() <= m_strip->viewport()->width());
      for (int b = a + 1; b < 60; ++b) QVERIFY(!m_strip->tokenRect(a).intersects(m_strip->tokenRect(b)));
    }
    QVERIFY(m_strip->tokenRect(59).top() > m_strip->tokenRect(0).bottom());
  }

  void hover_is_a_key_and_with_shift_a_query() {
    QSignalSpy keys(m_strip.get(), &TokenStrip::keyHovered),
        queries(m_strip.get(), &TokenStrip::queryHovered);
    const QPoint at = m_strip->tokenRect(2).center();
    QMouseEvent plain(QEvent::MouseMove, at, m_strip->viewport()->mapToGlobal(at), Qt::NoButton, Qt::NoButton,
                      {});
    QCoreApplication::sendEvent(m_strip->viewport(), &plain);
    QMouseEvent shifted(QEvent::MouseMove, at, m_strip->viewport()->mapToGlobal(at), Qt::NoButton,
                        Qt::NoButton, Qt::ShiftModifier);
    QCoreApplication::sendEvent(m_strip->viewport(), &shifted);
    QCOMPARE(keys.count(), 1);
    QCOMPARE(keys.last().first().toInt(), 2);
    QCOMPARE(queries.count(), 1);
  }

  void drag_selects_a_range_either_way() {
    QSignalSpy ranges(m_strip.get(), &TokenStrip::rangeSelected),
        clicks(m_strip.get(), &TokenStrip::tokenClicked);
    QWidget* port = m_strip->viewport();
    const QPoint from = m_strip->tokenRect(3).center(), to = m_strip->tokenRect(1).center();
    QTest::mousePress(port, Qt::LeftButton, {}, from);
    QMouseEvent move(QEvent::MouseMove, to, port->mapToGlobal(to), Qt::NoButton, Qt::LeftButton, {});
    QCoreApplication::sendEvent(port, &move);
    QTest::mouseRelease(port, Qt::LeftButton, {}, to);
    QCOMPARE(ranges.count(), 1);
    QCOMPARE(ranges.last(), QVariantList({1, 3}));
    QCOMPARE(clicks.count(), 0);
    QTest::mouseClick(port, Qt::LeftButton, {}, from);
    QCOMPARE(clicks.last(), QVariantList({3, false}));
  }

  void scrolls_to_a_token() {
    QVERIFY(!m_strip->viewport()->rect().contains(m_strip->tokenRect(59)));
    m_strip->ensureTokenVisible(59);
    QVERIFY(m_strip->viewport()->rect().contains(m_strip->tokenRect(59)));
    m_strip->ensureTokenVisible(0);
    QVERIFY(m_strip->viewport()->rect().contains(m_strip->tokenRect(0)));
  }

  void says_its_cell() {
    m_strip->setCell(5, 3);
    QVERIFY(m_strip->accessibleDescription().contains(QStringLiteral("token5")));
    QVERIFY(m_strip->accessibleDescription().contains(QStringLiteral("token3")));
  }

 private:
  std::unique_ptr<TokenStrip> m_strip;
};

QTEST_MAIN(TestTokenStrip)
#include "tst_token_strip.moc"
