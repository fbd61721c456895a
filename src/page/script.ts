/**
 * What a browser that runs scripts has more of: the page renews itself in place, commands are copied, and a click in a
 * layer means the day it lies at. Everything works without it. It puts no text into the page but whole answers of the
 * server, which escaped them.
 */
export const script = `
'use strict';
const every = 30000;
function live() {
  for (const button of document.querySelectorAll('button[data-copy]')) button.hidden = false;
}
function isBusy() {
  const at = document.activeElement;
  return document.hidden || String(getSelection()) !== '' || (at !== null && /^(INPUT|SELECT|BUTTON)$/.test(at.tagName));
}
async function renew() {
  if (isBusy()) return;
  try {
    const answer = await fetch(location.pathname + location.search, { headers: { accept: 'text/html' } });
    if (!answer.ok) throw new Error(String(answer.status));
    const next = new DOMParser().parseFromString(await answer.text(), 'text/html').querySelector('main');
    const now = document.querySelector('main');
    if (next === null || now === null || isBusy()) return;
    for (const details of now.querySelectorAll('details[open]')) {
      const same = next.querySelector('#' + details.id);
      if (same !== null) same.open = true;
    }
    now.replaceWith(document.adoptNode(next));
    live();
  } catch {
    const said = document.getElementById('age');
    if (said !== null) said.textContent = 'this page cannot be renewed: varve does not answer';
  }
}
async function copy(button) {
  const text = button.parentElement.querySelector('pre').textContent;
  try {
    await navigator.clipboard.writeText(text);
  } catch {
    getSelection().selectAllChildren(button.parentElement.querySelector('pre'));
    document.execCommand('copy');
  }
  button.textContent = 'copied';
}
document.addEventListener('click', (event) => {
  const button = event.target.closest('button[data-copy]');
  if (button !== null) return void copy(button);
  const layer = event.target.closest('a.layer[data-month]');
  if (layer === null || event.detail === 0) return;
  const box = layer.querySelector('path').getBoundingClientRect();
  const share = Math.min(1, Math.max(0, (event.clientY - box.top) / box.height));
  const [year, month] = layer.dataset.month.split('-').map(Number);
  const first = Date.UTC(year, month - 1, 1);
  const now = Number(document.querySelector('main').dataset.now);
  const last = Math.min(Date.UTC(year, month, 1), now);
  const day = Math.ceil(((1 - share) * (last - first)) / 86400000);
  const time = new Date(first + Math.max(1, day) * 86400000);
  const address = new URL(layer.getAttribute('href'), location.href);
  if (time.getTime() < now) address.searchParams.set('time', time.toISOString().slice(0, 19) + 'Z');
  event.preventDefault();
  location.assign(address);
});
live();
self.setInterval(renew, every);
`;
