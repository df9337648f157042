// Keeps the newest text in sight as long as the reader is at the bottom; whoever scrolls up is left alone.

const kNear = 48;  // pixels from the bottom that count as being there

export class StickyScroll {
  constructor(scroller, jump) {
    this.scroller = scroller;
    this.jump = jump;
    this.stuck = true;
    this.last = 0;
    scroller.addEventListener('scroll', () => this.scrolled(), {passive: true});
    jump.addEventListener('click', () => this.toBottom());
    new ResizeObserver(() => this.follow()).observe(scroller);
  }

  get distance() {
    return this.scroller.scrollHeight - this.scroller.scrollTop - this.scroller.clientHeight;
  }

  // Only a move upwards lets go: text that arrives in between makes the distance larger too.
  scrolled() {
    const {scrollTop} = this.scroller;
    if (this.distance <= kNear) this.stuck = true;
    else if (scrollTop < this.last - 1) this.stuck = false;
    this.last = scrollTop;
    this.jump.hidden = this.stuck || this.distance <= kNear;
  }

  // To be called after the content changed.
  follow() {
    if (this.stuck) this.scroller.scrollTop = this.scroller.scrollHeight;
    this.last = this.scroller.scrollTop;
    this.jump.hidden = this.stuck || this.distance <= kNear;
  }

  toBottom() {
    this.stuck = true;
    this.follow();
  }
}
