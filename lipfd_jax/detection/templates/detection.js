// Plays the chosen moment if the video is in the page's folder; copies the text to quote.
(() => {
  const video = document.getElementById("video");
  const hint = document.getElementById("no-video");
  const timeline = document.getElementById("timeline");
  const slider = document.getElementById("moment");
  const shown = document.getElementById("shown-moment");
  const seconds = Number(timeline.dataset.seconds);
  const clock = (s) => `${Math.floor(s / 60)}:${(s % 60).toFixed(1).padStart(4, "0")}`;

  function go(time, play) {
    slider.value = time;
    shown.value = clock(Number(time));
    if (!video.hidden) {
      video.currentTime = time;
      if (play) video.play();
    }
  }
  video.addEventListener("loadedmetadata", () => { video.hidden = false; hint.hidden = true; });
  video.addEventListener("timeupdate", () => { slider.value = video.currentTime; shown.value = clock(video.currentTime); });
  if (video.readyState >= 1) { video.hidden = false; hint.hidden = true; }
  slider.addEventListener("input", () => go(slider.value, false));
  timeline.addEventListener("click", (event) => {
    if (event.target === slider) return;
    const box = timeline.getBoundingClientRect();
    go(Math.min(Math.max((event.clientX - box.left) / box.width, 0), 1) * seconds, true);
  });
  for (const button of document.querySelectorAll("button[data-time]")) {
    button.addEventListener("click", () => { go(Number(button.dataset.time), true); timeline.scrollIntoView({ block: "center" }); });
  }
  document.getElementById("copy").addEventListener("click", async () => {
    const quote = document.getElementById("quote");
    try {
      await navigator.clipboard.writeText(quote.textContent);
    } catch {
      const range = document.createRange();
      range.selectNodeContents(quote);
      getSelection().removeAllRanges();
      getSelection().addRange(range);
      document.execCommand("copy");
    }
    document.getElementById("copied").textContent = "Copied.";
  });
})();
