// What `browser.py` looks for in a page. Each check answers with lines about what is wrong.
globalThis.pageChecks ??= (() => {
  const named = element => {
    const words = element.getAttribute("aria-label") || element.textContent.trim().replace(/\s+/g, " ")
      || element.name || element.id;
    return `${element.localName} "${words.slice(0, 60)}"`;
  };

  // All of an element's look that a style for the focus may change.
  const look = element => ["", "::before", "::after"].map(part => {
    const style = getComputedStyle(element, part);
    return [
      style.outlineStyle === "none" ? "" : style.outline, style.boxShadow, style.borderColor, style.borderWidth,
      style.backgroundColor, style.textDecoration, style.color,
    ].join();
  }).join();

  const looks = new Map(), focused = new Set();
  const changed = element => look(element) !== looks.get(element);
  const labels = element => [...element.labels ?? []];

  const covered = element => {
    const box = element.getBoundingClientRect();
    return ![[.5, .5], [.1, .5], [.9, .5], [.5, .1], [.5, .9]].some(([x, y]) => {
      const top = document.elementFromPoint(box.left + box.width * x, box.top + box.height * y);
      return top && [element, ...labels(element)].some(each => each.contains(top) || top.contains(each));
    });
  };

  const roles = ["button", "link", "tab", "checkbox", "switch", "option", "menuitem"];
  const kinds = ["a[href]", "button", "input:not([type=hidden])", "select", "textarea", "summary",
    "[tabindex='0']", ...roles.map(role => `[role=${role}]`)].join();

  // A field's label is part of its target.
  const target = element => {
    const boxes = [element, ...labels(element)].map(each => each.getBoundingClientRect());
    const left = Math.min(...boxes.map(each => each.left)), right = Math.max(...boxes.map(each => each.right));
    const top = Math.min(...boxes.map(each => each.top)), bottom = Math.max(...boxes.map(each => each.bottom));
    return { element, left, right, top, bottom, width: right - left, height: bottom - top,
      x: (left + right) / 2, y: (top + bottom) / 2 };
  };
  const inSentence = element => getComputedStyle(element).display.startsWith("inline")
    && [...element.parentElement.childNodes].some(node => node.nodeType === 3 && node.textContent.trim());

  return {
    settle: () => Promise.allSettled(document.getAnimations()
      .filter(each => each.effect.getComputedTiming().endTime < Infinity).map(each => each.finished)),

    noteLooks: () => {
      // The next Tab goes to the first target of the page, wherever the focus was.
      document.body.tabIndex = -1;
      document.body.focus();
      document.body.removeAttribute("tabindex");
      document.activeElement?.blur();
      looks.clear();
      focused.clear();
      for (const element of document.querySelectorAll(`${kinds}, label, [tabindex]`)) {
        looks.set(element, look(element));
      }
    },

    focused: () => {
      const element = document.activeElement;
      if (!element || element === document.body) return null;
      const again = focused.has(element);
      focused.add(element);
      const shown = changed(element) || labels(element).some(changed);
      return { name: named(element), again, shown, covered: covered(element) };
    },

    smallTargets: least => {
      const small = each => each.width < least - .01 || each.height < least - .01;
      const near = (one, other) => {
        if (one.element.contains(other.element) || other.element.contains(one.element)) return false;
        if (small(other)) return Math.hypot(one.x - other.x, one.y - other.y) < least;
        const x = Math.max(other.left - one.x, 0, one.x - other.right);
        const y = Math.max(other.top - one.y, 0, one.y - other.bottom);
        return Math.hypot(x, y) < least / 2;
      };
      const targets = [...document.querySelectorAll(kinds)]
        .filter(each => !each.disabled && each.checkVisibility({ visibilityProperty: true, opacityProperty: true }))
        .map(target).filter(each => each.width > 1 && each.height > 1);
      return targets
        .filter(each => small(each) && !inSentence(each.element) && targets.some(other => near(each, other)))
        .map(each => `${named(each.element)}: ${Math.round(each.width)} by ${Math.round(each.height)}`);
    },

    stickingOut: () => {
      const root = document.scrollingElement;
      if (root.scrollWidth <= root.clientWidth) return [];
      const out = [...document.querySelectorAll("body *")]
        .filter(each => each.getBoundingClientRect().right > root.clientWidth + 1).map(named);
      return [`${root.scrollWidth} px wide`, ...out.slice(0, 20)];
    },
  };
})();
