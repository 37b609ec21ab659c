// Sorting by a column, what a cell of the matrix says, one player at a time. Without scripts the page says the same.
for (const button of document.querySelectorAll('th button')) {
  button.addEventListener('click', () => {
    const head = button.closest('th');
    const body = head.closest('table').tBodies[0];
    const value = (row) => {
      const cell = row.cells[head.cellIndex];
      return cell.dataset.v === undefined ? cell.textContent : Number(cell.dataset.v);
    };
    const missing = (v) => v === '–';
    const was = head.getAttribute('aria-sort');
    const text = body.rows.length ? typeof value(body.rows[0]) === 'string' : false;
    const direction = was ? (was === 'ascending' ? 'descending' : 'ascending') : text ? 'ascending' : 'descending';
    const sign = direction === 'ascending' ? 1 : -1;
    const rows = [...body.rows].sort((a, b) => {
      const [x, y] = [value(a), value(b)];
      if (missing(x) || missing(y)) return missing(x) - missing(y);
      return sign * (typeof x === 'string' ? x.localeCompare(y, undefined, { numeric: true }) : x - y);
    });
    for (const other of head.parentNode.cells) other.removeAttribute('aria-sort');
    head.setAttribute('aria-sort', direction);
    body.append(...rows);
  });
}
for (const svg of document.querySelectorAll('svg.readable')) {
  const say = (event) => {
    const title = event.target.querySelector('title');
    if (title) svg.closest('section').querySelector('.readout').textContent = title.textContent;
  };
  svg.addEventListener('pointerover', say);
  svg.addEventListener('click', say);
}
document.addEventListener('play', (event) => {
  for (const audio of document.querySelectorAll('audio')) if (audio !== event.target) audio.pause();
}, true);
