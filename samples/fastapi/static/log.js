const body = document.querySelector("tbody");
const json = (path) => fetch(path).then((answer) => answer.json());

json("stations").then(async (names) => {
  for (const name of names) {
    const { mean, lowest, highest } = await json(`stations/${name}`);
    const row = body.insertRow();
    for (const value of [name, mean, lowest, highest]) row.insertCell().textContent = value;
  }
});

json("version").then(({ version }) => {
  document.querySelector("footer").textContent = `FastAPI on Python ${version}`;
});

const socket = new WebSocket(new URL("live", location.href).href.replace(/^http/, "ws"));
const output = document.querySelector("output");
socket.onmessage = ({ data }) => {
  const { count, mean } = JSON.parse(data);
  output.textContent = `Mean of ${count}: ${mean}`;
};
document.querySelector("form").addEventListener("submit", (event) => {
  event.preventDefault();
  socket.send(event.target.querySelector("input").value);
});
