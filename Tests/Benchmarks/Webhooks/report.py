"""What is printed: figures beside their aims, and what the statements cost."""
missed = []


def aim(title, value, limit, at_least=False):
    met = value >= limit if at_least else value <= limit
    if not met:
        missed.append(title)
    print(f"{title}: {value:.4g} (aim at {'least' if at_least else 'most'} {limit}) {'met' if met else 'MISSED'}", flush=True)


def statements(bench, most=8):
    """The dearest statements since their counts were reset."""
    query = """SELECT calls, rows, total_exec_time, mean_exec_time, left(regexp_replace(query, '\\s+', ' ', 'g'), 90)
        FROM pg_stat_statements WHERE query NOT LIKE 'SELECT EXISTS%%' ORDER BY total_exec_time DESC LIMIT %s"""
    return bench.database.execute(query, (most,)).fetchall()


def show(found):
    print(f"\n{'calls':>7}{'rows':>9}{'ms':>8}{'ms each':>9}  statement of the last run at the limit")
    for calls, rows, total, each, text in found:
        print(f"{calls:7}{rows:9}{total:8.0f}{each:9.2f}  {text}")
